// Package audit defines the data that `orderbell verify` and `explain` compare: what each store holds of the events in
// a time window.
package audit

import (
	"slices"
	"time"

	"orderbell/internal/event"
	"orderbell/internal/feed/message"
	"orderbell/internal/user"
)

// Window selects events by time and tenant.
type Window struct {
	Since, Until time.Time // time of the change: from Since up to, not including, Until
	TenantID     string    // "" for all
}

// Has reports whether t is in the window.
func (w Window) Has(t time.Time) bool { return !t.Before(w.Since) && t.Before(w.Until) }

// Days returns the first and the last UTC day of the window.
func (w Window) Days() (first, last time.Time) {
	const day = 24 * time.Hour
	return w.Since.UTC().Truncate(day), w.Until.UTC().Truncate(day)
}

// Order is an order with the versions that have an event somewhere.
type Order struct {
	ID, TenantID string
	Version      int64
	CreatedAt    time.Time
	UpdatedAt    time.Time
	Known        []int64 // ascending: versions with a record in the window's days, or with a row in the outbox
}

// Owed returns the versions that must have an event in w. The order only has the times of its first and its last
// version. The versions between them are included if both times are in w, or if an earlier version has a record in w.
func (o Order) Owed(w Window) (from, to int64) {
	created, updated := w.Has(o.CreatedAt), w.Has(o.UpdatedAt)
	switch {
	case created && updated:
		return 1, o.Version
	case created:
		return 1, 1
	case updated && len(o.Known) > 0:
		return min(o.Known[0], o.Version), o.Version
	case updated:
		return o.Version, o.Version
	}
	return 1, 0 // none
}

// Missing returns the owed versions without an event.
func (o Order) Missing(w Window) []int64 {
	var missing []int64
	for from, to := o.Owed(w); from <= to; from++ {
		if !slices.Contains(o.Known, from) {
			missing = append(missing, from)
		}
	}
	return missing
}

// Outgoing is a row of the outbox, with the records of its event.
type Outgoing struct {
	EventID, TenantID, OrderID string
	OccurredAt                 time.Time
	SentAt                     time.Time // zero: not yet
	Records                    int       // of the event
	Same                       int       // of them, those with the row's data
}

// Sent is an event that the relay has sent, with the time of its record.
type Sent struct {
	event.Outgoing

	SentAt     time.Time
	RecordedAt time.Time // zero: it has no record
}

// Place is the position of a record in key order. The zero Place is before all records.
type Place struct {
	Day     time.Time
	Source  string
	EventID string
}

// Record is the record of an applied event, with its notifications and mails.
type Record struct {
	Place

	Type              event.Type
	TenantID, OrderID string
	Version           int64
	OccurredAt        time.Time
	ReceivedAt        time.Time
	Decisions         []user.Decision
	Copies            int    // records of the same source and id on the window's days, this one included
	OrderVersion      *int64 // nil: there is no such order of the tenant
	Notified          []string
	Mails             []Mail
}

// Mail is a row of email_deliveries.
type Mail struct {
	UserID, MessageID string
	Status, Reason    string
	Ambiguous         int       // attempts with an unknown result
	SentAt            time.Time // zero: not sent
	Claimed           bool      // it is being sent
}

// Orphan is a notification or an e-mail whose event has no record.
type Orphan struct{ EventID, TenantID, OrderID, UserID string }

// Table is a table that may have orphans.
type Table string

// The tables.
const (
	Notifications Table = "notifications"
	Mails         Table = "email_deliveries"
)

// Sizes are estimated numbers of rows.
type Sizes struct{ Orders, Outgoing, Records, Notifications, Mails int64 }

// Key names an event in Redis.
type Key struct{ TenantID, EventID string }

// Presence is what Redis holds of an event.
type Presence struct {
	Marked   bool             // it is marked as published, at
	At       message.Position // this place in the tenant's stream
	InStream bool             // and the entry exists
}
