// Package event is the contract of topic orders.events in Go: what an order's change looks like as a CloudEvent, what
// makes one valid, and the message that the feed carries to the gateway.
//
// The written contract is specs/004-order-notifications/contracts/asyncapi-orders-events.yaml; `make contract` holds
// the two together.
package event

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

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

// Recipient is a person with a notification row for an event.
type Recipient struct {
	UserID         string `json:"user_id"`
	NotificationID string `json:"notification_id"`
}

// Message is what the feed carries to the gateway: an order's change, for all of the tenant, or a person's reading, for
// that person alone.
type Message struct {
	ID          string      `json:"id"`             // the event id
	Event       Type        `json:"event"`          // the SSE event name
	Data        Data        `json:"data,omitzero"`  // of an order's change
	Read        *Reading    `json:"read,omitempty"` // of NotificationRead
	Recipients  []Recipient `json:"recipients"`
	TraceParent string      `json:"traceparent,omitempty"`
	// Again says that this delivery was not the event's first: an earlier one may have been published, and forgotten
	// since. Who has seen the event may have done so before, at another place of the stream.
	Again bool `json:"again,omitempty"`
}

// NotificationRead is the event of a message that tells somebody's other tabs what they have read. It is the feed's
// alone: the topic has no such event, and [Type.Valid] knows none.
const NotificationRead Type = "notification_read"

// Reading is what somebody has read just now.
type Reading struct {
	NotificationIDs []string `json:"notification_ids"` // never null
	All             bool     `json:"all"`              // everything that the stream told of before, more than are named
	Unread          int      `json:"unread"`           // how many are left
}

// Message returns the feed's message of r, for the user alone. Its id is new.
func (r Reading) Message(userID string) (Message, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Message{}, fmt.Errorf("make a message id: %w", err)
	}
	return Message{ID: id.String(), Event: NotificationRead, Read: &r, Recipients: []Recipient{{UserID: userID}}}, nil
}

// Valid says whether m is one of the two.
func (m Message) Valid() bool {
	return m.ID != "" && (m.Event.Valid() || m.Event == NotificationRead && m.Read != nil)
}

// Message returns the feed's message for e and the people who have a notification of it.
func (e Event) Message(to []Recipient) Message {
	if to == nil {
		to = []Recipient{} // the contract wants an array, never null
	}
	return Message{ID: e.ID, Event: e.Type, Data: e.Data, Recipients: to, TraceParent: e.TraceParent}
}
