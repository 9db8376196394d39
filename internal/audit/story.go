package audit

import (
	"time"

	"orderbell/internal/event"
	"orderbell/internal/user"
)

// Story is an event, and what became of it for each user of its tenant.
type Story struct {
	EventID, Source   string
	Type              event.Type
	TenantID, OrderID string
	Data              event.Data
	OccurredAt        time.Time
	SentAt            time.Time // when it left the outbox; zero: it has not, or the outbox has forgotten it
	ReceivedAt        time.Time // when it was taken in; zero: it was not
	Now               time.Time // the database's
	Parts             []Part    // in the order of e-mail addresses; those who are gone come last
}

// Part is one user's part in an event.
type Part struct {
	User         user.User // as they are now; of one who is gone the ID alone
	Gone         bool
	Decisions    []user.Decision // when the event was taken in
	Notification *Notification
	Mail         *Mailing
}

// Notification is an entry in the user's inbox.
type Notification struct {
	CreatedAt time.Time
	ReadAt    time.Time // zero: not read
}

// Mailing is the whole state of a mail.
type Mailing struct {
	Mail

	Attempt       int
	NextAttemptAt time.Time // of one that is due
}
