package orderapi

import (
	"net/http"
	"time"

	"orderbell/functions/internal/route"
	"orderbell/internal/event"
	"orderbell/internal/order"
	"orderbell/internal/user"
)

// History is the answer to GET /api/orders/{id}/history.
type History struct {
	OrderID string   `json:"order_id"`
	Changes []Change `json:"changes"` // from the latest to the first
	More    bool     `json:"more"`    // whether there are earlier changes
}

// Change is one change of an order in the API's JSON.
type Change struct {
	Version   int64        `json:"version"`
	Status    order.Status `json:"status"`           // after the change
	Undone    order.Status `json:"undone,omitempty"` // the state that was undone
	ChangedAt time.Time    `json:"changed_at"`
	EventID   string       `json:"event_id"`
	Actor     *event.Actor `json:"actor,omitempty"` // nil where it is not known
	Decided   bool         `json:"decided"`         // whether the recipients are decided
	Told      []Told       `json:"told"`
	MoreTold  int          `json:"more_told,omitempty"` // how many are not in Told
}

// Told is the decision for one user and channel, and its result.
type Told struct {
	UserID  string        `json:"user_id"`
	Name    string        `json:"name,omitempty"`
	Channel string        `json:"channel"`
	Outcome order.Outcome `json:"outcome"`
	Reason  string        `json:"reason,omitempty"`
	SentAt  time.Time     `json:"sent_at,omitzero"` // of a mail
}

// mostTold bounds the list of one change: a tenant may have hundreds of users.
const mostTold = 100

// history answers who changed the order and when. Leaders see for every user whether they were notified, and the reason if not;
// other users see only their own entries.
func (a api) history(w http.ResponseWriter, r *http.Request) error {
	principal, id, err := named(r)
	if err != nil {
		return err
	}
	reader := principal.UserID
	if principal.Has(user.Leaders()...) {
		reader = ""
	}
	changes, more, err := a.store.History(r.Context(), principal.TenantID, id, reader)
	if err != nil {
		return refusal(err)
	}
	answer := History{OrderID: id, Changes: make([]Change, len(changes)), More: more} // never null
	for i, c := range changes {
		answer.Changes[i] = fromChange(c)
	}
	return route.Serve(w, r, "", answer)
}

func fromChange(c order.Change) Change {
	is := Change{
		Version: c.Version, Status: c.Status, Undone: c.Undone, ChangedAt: c.At, EventID: c.EventID, Decided: c.Decided,
		Told: make([]Told, min(len(c.Told), mostTold)), MoreTold: max(0, len(c.Told)-mostTold),
	}
	if c.ActorID != "" {
		is.Actor = &event.Actor{UserID: c.ActorID, Name: c.ActorName}
	}
	for i := range is.Told {
		t := c.Told[i]
		is.Told[i] = Told{UserID: t.UserID, Name: t.Name, Channel: t.Channel, Outcome: t.Outcome, Reason: t.Reason, SentAt: t.At}
	}
	return is
}
