// Package notification is the vocabulary of a user's notifications, as they are kept, listed and read.
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
	Data      event.Data // the order as it was then
	CreatedAt time.Time
	ReadAt    time.Time // zero: unread
}

// Query says which of a user's notifications are asked for.
type Query struct {
	UnreadOnly bool
	Before     time.Time // with BeforeID: those older than this place, newest first; zero: from the newest on
	BeforeID   string
	Limit      int
}

// Page is some of a user's notifications, from the newest to the oldest.
type Page struct {
	Notifications []Notification
	More          bool
	Unread        int // of all, on this page or not
}

// ErrNotFound says that the user has no such notification.
var ErrNotFound = errors.New("no such notification")
