// Package inboxapi is the HTTP API of the caller's inbox: notifications, newest first, and marking them as read.
//
// Marking as read is also sent to the user's streams, so that other tabs show it. The inbox is authoritative: a page
// whose stream was interrupted gets the count with its next request.
package inboxapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"orderbell/functions/internal/route"
	"orderbell/internal/auth"
	"orderbell/internal/event"
	"orderbell/internal/feed/message"
	"orderbell/internal/notification"
	"orderbell/internal/paths"
	"orderbell/internal/problem"
	"orderbell/internal/user"
)

// Store keeps the notifications. Its errors are the outcomes of package notification, or failures of the store.
type Store interface {
	Page(ctx context.Context, tenantID, userID string, q notification.Query) (notification.Page, error)
	Read(ctx context.Context, tenantID, userID, id string) (message.Reading, error)
	ReadSome(ctx context.Context, tenantID, userID string, ids []string) (message.Reading, error)
	ReadAll(ctx context.Context, tenantID, userID string) (message.Reading, error)
}

// Stream publishes a message to the tenant's streams.
type Stream interface {
	Publish(ctx context.Context, tenantID string, m message.Message) error
}

// Notification is a notification in the API's JSON, with the names of the stream's frame.
type Notification struct {
	NotificationID string     `json:"notification_id"` // UUID
	EventID        string     `json:"event_id"`
	OrderID        string     `json:"order_id"` // the order that it leads to
	Event          event.Type `json:"event"`
	Data           event.Data `json:"data"`       // the order as it was then
	CreatedAt      time.Time  `json:"created_at"` // RFC 3339, UTC
	ReadAt         *time.Time `json:"read_at"`    // null: unread
}

// Inbox is the answer to GET /api/notifications.
type Inbox struct {
	Notifications []Notification `json:"notifications"` // from the newest to the oldest
	Unread        int            `json:"unread"`        // unread in total, not only on this page
	NextCursor    string         `json:"next_cursor,omitempty"`
}

type api struct {
	store  Store
	stream Stream
	log    *slog.Logger
}

// New returns the API's handler for the path /api/notifications and below.
func New(log *slog.Logger, verifier *auth.Verifier, store Store, stream Stream) route.API {
	a := api{store, stream, log}
	return route.New(log, verifier, map[string]route.Methods{
		paths.Notifications:                {"GET": {Roles: user.Roles(), Handle: a.list}},
		paths.Notifications + "/read":      {"POST": {Roles: user.Roles(), Handle: a.readSome}},
		paths.Notifications + "/{id}/read": {"POST": {Roles: user.Roles(), Handle: a.read}},
		paths.Notifications + "/read-all":  {"POST": {Roles: user.Roles(), Handle: a.readAll}},
	})
}

// owner returns the user whose inbox a request is about. It returns false for a caller without a user row: that inbox is empty.
func owner(r *http.Request) (who auth.Principal, ok bool, err error) {
	if who, err = auth.Who(r); err != nil {
		return who, false, err
	}
	who.UserID, ok = route.ID(who.UserID)
	return who, ok, nil
}

func (a api) list(w http.ResponseWriter, r *http.Request) error {
	who, known, err := owner(r)
	if err != nil {
		return err
	}
	limit, after, err := route.PageOf(r, "unread")
	if err != nil {
		return err
	}
	q := notification.Query{Before: after.At, BeforeID: after.ID, Limit: limit}
	query, err := problem.Query(r, "unread")
	if err != nil {
		return err
	}
	switch unread := query.Get("unread"); {
	case !query.Has("unread"), unread == "false":
	case unread == "", unread == "true":
		q.UnreadOnly = true
	default:
		return problem.BadParameter("unread", "must be true or false")
	}
	var page notification.Page
	if known {
		if page, err = a.store.Page(r.Context(), who.TenantID, who.UserID, q); err != nil {
			return err
		}
	}
	answer := Inbox{Notifications: make([]Notification, len(page.Notifications)), Unread: page.Unread} // never null
	for i, n := range page.Notifications {
		answer.Notifications[i] = fromNotification(n)
	}
	if page.More {
		last := page.Notifications[len(page.Notifications)-1]
		answer.NextCursor = route.Position{At: last.CreatedAt, ID: last.ID}.Cursor()
	}
	return route.Serve(w, r, "", answer)
}

func fromNotification(n notification.Notification) Notification {
	is := Notification{NotificationID: n.ID, EventID: n.EventID, OrderID: n.Data.OrderID, Event: n.Type, Data: n.Data, CreatedAt: n.CreatedAt}
	if !n.ReadAt.IsZero() {
		is.ReadAt = &n.ReadAt
	}
	return is
}

func (a api) read(w http.ResponseWriter, r *http.Request) error {
	who, known, err := owner(r)
	if err != nil {
		return err
	}
	if _, err := problem.OptionalBody(w, r); err != nil {
		return err
	}
	id, ok := route.PathID(r)
	reading := message.Reading{}
	err = notification.ErrNotFound
	if ok && known {
		reading, err = a.store.Read(r.Context(), who.TenantID, who.UserID, id)
	}
	if errors.Is(err, notification.ErrNotFound) {
		return problem.New(http.StatusNotFound, "there is no such notification")
	}
	if err != nil {
		return err
	}
	return a.tell(w, r, who, reading)
}

// Displayed is the body of POST /api/notifications/read.
type Displayed struct {
	NotificationIDs *[]string `json:"notification_ids"` // UUIDs; a pointer tells none from missing
}

// readSome marks the displayed notifications as read. Unknown ids, and notifications that are already read, change
// nothing.
func (a api) readSome(w http.ResponseWriter, r *http.Request) error {
	who, known, err := owner(r)
	if err != nil {
		return err
	}
	body, err := problem.ReadBody(w, r)
	if err != nil {
		return err
	}
	var shown Displayed
	if err := problem.Decode(body, &shown); err != nil {
		return err
	}
	if shown.NotificationIDs == nil {
		return problem.Field("notification_ids", "is missing")
	}
	if len(*shown.NotificationIDs) > mostNamed {
		return problem.Field("notification_ids", "must have at most %d elements", mostNamed)
	}
	ids := make([]string, 0, len(*shown.NotificationIDs))
	for i, text := range *shown.NotificationIDs {
		id, ok := route.ID(text)
		if !ok {
			return problem.Field(fmt.Sprintf("notification_ids[%d]", i), "must be a UUID")
		}
		ids = append(ids, id)
	}
	reading := message.Reading{NotificationIDs: []string{}}
	if known {
		if reading, err = a.store.ReadSome(r.Context(), who.TenantID, who.UserID, ids); err != nil {
			return err
		}
	}
	return a.tell(w, r, who, reading)
}

func (a api) readAll(w http.ResponseWriter, r *http.Request) error {
	who, known, err := owner(r)
	if err != nil {
		return err
	}
	if _, err := problem.OptionalBody(w, r); err != nil {
		return err
	}
	reading := message.Reading{NotificationIDs: []string{}}
	if known {
		if reading, err = a.store.ReadAll(r.Context(), who.TenantID, who.UserID); err != nil {
			return err
		}
	}
	if len(reading.NotificationIDs) > mostNamed {
		reading.NotificationIDs, reading.All = []string{}, true
	}
	return a.tell(w, r, who, reading)
}

// mostNamed bounds the frame to about 4 KB.
const mostNamed = 100

// tellTime is how long the answer waits for Redis.
const tellTime = time.Second

// tell answers with the ids that were marked as read, and publishes them to the user's streams if there are any. A
// failure to publish does not undo the marks.
func (a api) tell(w http.ResponseWriter, r *http.Request, who auth.Principal, reading message.Reading) error {
	if len(reading.NotificationIDs) > 0 || reading.All {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), tellTime)
		defer cancel()
		m, err := reading.Message(who.UserID)
		if err == nil {
			err = a.stream.Publish(ctx, who.TenantID, m)
		}
		if err != nil {
			a.log.WarnContext(ctx, "other tabs not told what was read", "user_id", who.UserID, "err", err)
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	return problem.WriteJSON(w, http.StatusOK, reading)
}
