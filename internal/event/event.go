// Package event is the contract of topic orders.events in Go: the types, the data of an order's change and its
// validation. The wire format is in [orderbell/internal/event/cloudevent].
//
// The written contract is specs/004-order-notifications/contracts/asyncapi-orders-events.yaml; `make contract` compares
// the two.
package event

import (
	"slices"
	"time"

	"orderbell/internal/order"
)

// Type is the kind of an order's change. It is the CloudEvents type and the SSE event name.
type Type string

// The types of topic orders.events.
const (
	OrderCreated       Type = "order_created"
	OrderPaid          Type = "order_paid"
	OrderStatusUpdated Type = "order_status_updated"
)

// Types returns every type.
func Types() []Type { return []Type{OrderCreated, OrderPaid, OrderStatusUpdated} }

// Valid reports whether t is one of [Types].
func (t Type) Valid() bool { return slices.Contains(Types(), t) }

// TypeFor returns the type of the event for an order's change to status s.
func TypeFor(s order.Status) Type {
	switch s {
	case order.Submitted:
		return OrderCreated
	case order.Paid:
		return OrderPaid
	case order.Preparing, order.Ready, order.Completed, order.Cancelled, order.Refunded:
		return OrderStatusUpdated
	}
	return OrderStatusUpdated
}

// Source is the CloudEvents source of events that order-api makes. Other order services have their own.
const Source = "/orderbell/order-api"

// MaxSource is the longest source in bytes.
const MaxSource = 255

// Data is an event's JSON data: the order as it is after the change.
type Data struct {
	OrderID     string       `json:"order_id"`  // UUID
	TenantID    string       `json:"tenant_id"` // equals the extension tenantid
	Status      order.Status `json:"status"`
	Reference   string       `json:"reference,omitempty"`
	TotalAmount int64        `json:"total_amount"` // in the currency's minor unit
	Currency    string       `json:"currency"`     // ISO 4217
	Version     int64        `json:"version"`      // 1 at creation, one more with each change of the order
	Timestamp   time.Time    `json:"timestamp"`    // when the order changed, RFC 3339
	Undone      order.Status `json:"undone,omitempty"`
	Actor       Actor        `json:"actor,omitzero"`
}

// Type returns the type of the event with data d. An undo is always an [OrderStatusUpdated], so that an order that
// returns to paid does not count as a payment.
func (d Data) Type() Type {
	if d.Undone != "" {
		return OrderStatusUpdated
	}
	return TypeFor(d.Status)
}

// Actor is the user who changed an order. It is optional.
type Actor struct {
	UserID string `json:"user_id"`        // 1 to 255 characters: the publisher's id of the user
	Name   string `json:"name,omitempty"` // at the time of the change
}

// Event is one valid event of the topic.
type Event struct {
	ID          string // UUIDv7; the key of deduplication, together with Source and the day of Time
	Source      string
	Type        Type
	Time        time.Time // when the order changed
	TraceParent string    // W3C trace context, may be empty
	TraceState  string    // its tracestate, empty for most
	Data        Data
	Raw         []byte // the original bytes: the same id with other bytes is a conflict
}

// Day is the event's UTC day, which is also its partition of event_records.
func (e Event) Day() time.Time { return e.Time.UTC().Truncate(24 * time.Hour) }

// Recipient is a user with a notification row for an event.
type Recipient struct {
	UserID         string `json:"user_id"`
	NotificationID string `json:"notification_id"`
}

// CheckAge refuses an event older than the oldest kept day of event_records, because it could be applied twice, and an
// event further in the future than [MaxSkew].
func (e Event) CheckAge(now time.Time, keepDays int) error {
	if oldest := now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -keepDays); e.Day().Before(oldest) {
		return Invalid("time", "%s is before %s, the oldest day that is kept: the event can no longer be applied", e.Time.Format(time.RFC3339), oldest.Format(time.DateOnly))
	}
	if e.Time.After(now.Add(MaxSkew)) {
		return Invalid("time", "%s is more than an hour ahead of %s: correct the publisher's clock", e.Time.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

// MaxSkew is how far ahead a publisher's clock may run: an hour forgives a wrong time zone rule, not a wrong year.
const MaxSkew = time.Hour
