// Package inbox is the vocabulary of a person's notifications, as they are kept, listed and read.
package inbox

import (
	"errors"
	"time"

	"orderbell/internal/event"
)

// Notice is one notification.
type Notice struct {
	ID        string // UUID
	EventID   string
	Type      event.Type
	Data      event.Data // the order as it was then
	CreatedAt time.Time
	ReadAt    time.Time // zero: unread
}

// Query says which of a person's notifications are asked for.
type Query struct {
	UnreadOnly bool
	Before     time.Time // with BeforeID: those behind this place, from the newest to the oldest; zero: from the newest on
	BeforeID   string
	Limit      int
}

// Page is some of a person's notifications, from the newest to the oldest.
type Page struct {
	Notices []Notice
	More    bool
	Unread  int // of all, on this page or not
}

// ErrNotFound says that the person has no such notification.
var ErrNotFound = errors.New("no such notification")
