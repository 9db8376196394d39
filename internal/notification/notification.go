// Package notification defines in-app notifications and their queries.
package notification

import (
	"errors"
	"time"

	"orderbell/internal/event"
)

// Notification is one notification.
type Notification struct {
	ID        string // UUID
	EventID   string
	Type      event.Type
	Data      event.Data // the order at the time of the event
	CreatedAt time.Time
	ReadAt    time.Time // zero: unread
}

// Query selects a user's notifications.
type Query struct {
	UnreadOnly bool
	Before     time.Time // with BeforeID: only notifications before this position, newest first; zero: from the newest on
	BeforeID   string
	Limit      int
}

// Page is one page of a user's notifications, newest first.
type Page struct {
	Notifications []Notification
	More          bool
	Unread        int // unread in total, not only on this page
}

// ErrNotFound is a notification that the user does not have.
var ErrNotFound = errors.New("no such notification")
