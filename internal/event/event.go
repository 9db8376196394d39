// Package event is the contract of topic orders.events in Go: the types, the data of an order's change and what makes it
// valid. It knows no format on the wire: see [orderbell/internal/event/cloudevent].
//
// The written contract is specs/004-order-notifications/contracts/asyncapi-orders-events.yaml; `make contract` holds
// the two together.
package event

import (
	"slices"
	"time"

	"orderbell/internal/order"
)

// Type says what happened to an order. It is the CloudEvents type and the SSE event name.
type Type string

// The types of topic orders.events.
const (
	OrderCreated       Type = "order_created"
	OrderPaid          Type = "order_paid"
	OrderStatusUpdated Type = "order_status_updated"
)

// Types returns every type.
func Types() []Type { return []Type{OrderCreated, OrderPaid, OrderStatusUpdated} }

// Valid says whether t is one of [Types].
func (t Type) Valid() bool { return slices.Contains(Types(), t) }

// TypeFor returns the type of the event that an order's change to status s makes.
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

// Source is the CloudEvents source of events that order-api makes. Other order services use their own.
const Source = "/orderbell/order-api"

// MaxSource is how many bytes a source may have.
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

// Type returns the type of the event that has d: a step that was undone is always an [OrderStatusUpdated], so that an
// order that is paid again by an undo is no payment.
func (d Data) Type() Type {
	if d.Undone != "" {
		return OrderStatusUpdated
	}
	return TypeFor(d.Status)
}

// Actor is the user who changed an order. Publishers need not name one.
type Actor struct {
	UserID string `json:"user_id"`        // 1 to 255 characters: the publisher's id of the user
	Name   string `json:"name,omitempty"` // as it was then
}

// Event is one valid event of the topic.
type Event struct {
	ID          string // UUIDv7; with Source and Time's day the key of exactly-once
	Source      string
	Type        Type
	Time        time.Time // when the order changed
	TraceParent string    // W3C trace context, may be empty
	Data        Data
	Raw         []byte // the data's bytes as they came: the same id with other bytes is a conflict
}

// Day is the event's UTC day: the partition of event_records that holds it.
func (e Event) Day() time.Time { return e.Time.UTC().Truncate(24 * time.Hour) }

// Recipient is a user with a notification row for an event.
type Recipient struct {
	UserID         string `json:"user_id"`
	NotificationID string `json:"notification_id"`
}

// CheckAge refuses an event whose time lies before the oldest kept day of event_records, where a late replay could run
// twice, or further in the future than a wrong clock explains.
func (e Event) CheckAge(now time.Time, keepDays int) error {
	if oldest := now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -keepDays); e.Day().Before(oldest) {
		return Invalid("time", "%s is before %s, the oldest day kept", e.Time.Format(time.RFC3339), oldest.Format(time.DateOnly))
	}
	if e.Time.After(now.Add(MaxSkew)) {
		return Invalid("time", "%s is more than %s ahead of %s", e.Time.Format(time.RFC3339), MaxSkew, now.UTC().Format(time.RFC3339))
	}
	return nil
}

// MaxSkew is how far ahead a publisher's clock may run: an hour forgives a wrong time zone rule, not a wrong year.
const MaxSkew = time.Hour
