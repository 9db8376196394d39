package audit

import (
	"time"

	"orderbell/internal/event"
	"orderbell/internal/user"
)

// Story is an event with its effect on each user of its tenant.
type Story struct {
	EventID, Source   string
	Type              event.Type
	TenantID, OrderID string
	Data              event.Data
	OccurredAt        time.Time
	SentAt            time.Time // when it was sent to Kafka; zero: not yet, or the outbox row was removed
	ReceivedAt        time.Time // when it was applied; zero: not yet
	Now               time.Time // the database's clock
	TraceID           string    // "": the event named no trace
	Parts             []Part    // ordered by e-mail address; removed users come last
}

// Traced is an event of an order, with its trace.
type Traced struct {
	EventID     string
	Type        event.Type
	TenantID    string
	OrderID     string
	TraceParent string // "" for none
	Reference   string // the order's, "" for none
}

// Part is the effect of an event on one user.
type Part struct {
	User         user.User // the current row; only the ID of a removed user
	Gone         bool
	Decisions    []user.Decision // when the event was applied
	Notification *Notification
	Mail         *Mailing
}

// Notification is an entry in the user's inbox.
type Notification struct {
	CreatedAt time.Time
	ReadAt    time.Time // zero: not read
}

// Mailing is the full state of a mail.
type Mailing struct {
	Mail

	Attempt       int
	NextAttemptAt time.Time // only if the mail is due
}
