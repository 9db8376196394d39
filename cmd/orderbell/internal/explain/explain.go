// Package explain says why a user was notified of an event, or was not.
//
// It reports the decisions that were stored when the event was applied, and what happened since. For users without a
// decision it says why the decision is missing.
package explain

import (
	"context"
	"fmt"
	"strings"
	"time"

	"orderbell/internal/address"
	"orderbell/internal/audit"
)

// Store reads the stories of events.
type Store interface {
	Stories(ctx context.Context, eventID string) ([]audit.Story, error)
}

// Account is the path of an event, and what each user received.
type Account struct {
	EventID  string   `json:"event_id"`
	Source   string   `json:"source"`
	Type     string   `json:"type"`
	TenantID string   `json:"tenant_id"`
	OrderID  string   `json:"order_id"`
	TraceID  string   `json:"trace_id,omitempty"`
	Way      []string `json:"way"` // what happened to the event itself
	Users    []User   `json:"users"`
	Untold   int      `json:"others"` // users without a decision; they are not listed
}

// User is what a user received, or why they received nothing.
type User struct {
	UserID string   `json:"user_id"`
	Email  string   `json:"email,omitempty"` // empty for a removed user
	Roles  []string `json:"roles"`           // as they are now
	InApp  string   `json:"in_app"`
	Mail   string   `json:"email_notification"`
}

// Event returns what happened to the event: for the user with the address or, if the address is empty, for every user
// with a decision. It returns one account, or more if several sources used the id.
func Event(ctx context.Context, store Store, eventID, email string) ([]Account, error) {
	stories, err := store.Stories(ctx, eventID)
	if err != nil {
		return nil, err
	}
	if len(stories) == 0 {
		return nil, fmt.Errorf("there is no event %s: it never existed, or it was deleted after the retention time", eventID)
	}
	accounts := make([]Account, len(stories))
	for i, s := range stories {
		if accounts[i], err = account(s, email); err != nil {
			return nil, err
		}
	}
	return accounts, nil
}

func account(s audit.Story, email string) (Account, error) {
	a := Account{
		EventID: s.EventID, Source: s.Source, Type: string(s.Type), TenantID: s.TenantID, OrderID: s.OrderID, TraceID: s.TraceID,
		Way: way(s), Users: []User{},
	}
	for _, p := range s.Parts {
		switch {
		case email != "" && !address.Same(p.User.Email, email) && !strings.EqualFold(p.User.ID, email):
			continue
		case email == "" && len(p.Decisions) == 0 && p.Notification == nil && p.Mail == nil:
			a.Untold++
			continue
		}
		roles := make([]string, len(p.User.Roles))
		for i, r := range p.User.Roles {
			roles[i] = string(r)
		}
		a.Users = append(a.Users, User{UserID: p.User.ID, Email: p.User.Email, Roles: roles, InApp: inApp(s, p), Mail: mailLine(s, p)})
	}
	if email != "" && len(a.Users) == 0 {
		return a, fmt.Errorf("tenant %s, whose event it is, has no user %s: check the address", s.TenantID, email)
	}
	return a, nil
}

// way describes what happened to the event itself.
func way(s audit.Story) []string {
	lines := []string{fmt.Sprintf("The order changed at %s: it is %s, version %d.", stamp(s.OccurredAt), s.Data.Status, s.Data.Version)}
	switch {
	case !s.SentAt.IsZero():
		lines = append(lines, fmt.Sprintf("The event was sent to Kafka at %s.", stamp(s.SentAt)))
	case s.ReceivedAt.IsZero():
		return append(lines, "The event is still in the outbox: outbox-relay sends it to Kafka, look at its log.")
	}
	if s.ReceivedAt.IsZero() {
		return append(lines, fmt.Sprintf("No function has applied it yet: if it could not be delivered, `orderbell deadletter show %s` says why.", s.EventID))
	}
	return append(lines, fmt.Sprintf("It was applied at %s, and the recipients were decided then.", stamp(s.ReceivedAt)))
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
