// Package message is what the feed carries from functions to the gateway: a message, and its position in a tenant's
// stream.
package message

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"orderbell/internal/event"
)

// Message is what the feed carries to the gateway: an order's change, for all of the tenant, or a user's reading, for
// that user alone.
type Message struct {
	ID          string            `json:"id"`             // the event id
	Event       event.Type        `json:"event"`          // the SSE event name
	Data        json.RawMessage   `json:"data,omitempty"` // of an order's change: a JSON object, which the page reads
	Read        *Reading          `json:"read,omitempty"` // of NotificationRead
	Recipients  []event.Recipient `json:"recipients"`
	TraceParent string            `json:"traceparent,omitempty"`
	// Again says that this delivery was not the event's first: an earlier one may have been published, and forgotten
	// since. Who has seen the event may have done so before, at another place of the stream.
	Again bool `json:"again,omitempty"`
}

// NotificationRead is the event of a message that tells somebody's other tabs what they have read. It is the feed's
// alone: the topic has no such event, and [event.Type.Valid] knows none.
const NotificationRead event.Type = "notification_read"

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
	return Message{ID: id.String(), Event: NotificationRead, Read: &r, Recipients: []event.Recipient{{UserID: userID}}}, nil
}

// Valid says whether m is one of the two. Of an order's data it asks no more than that it is a JSON object.
func (m Message) Valid() bool {
	switch {
	case m.ID == "":
		return false
	case m.Event == NotificationRead:
		return m.Read != nil
	}
	return m.Event.Valid() && len(m.Data) > 0 && m.Data[0] == '{' && json.Valid(m.Data)
}

// New returns the feed's message for e and the users who have a notification of it.
func New(e event.Event, to []event.Recipient) (Message, error) {
	if to == nil {
		to = []event.Recipient{} // the contract wants an array, never null
	}
	data, err := e.Content()
	if err != nil {
		return Message{}, err
	}
	return Message{ID: e.ID, Event: e.Type, Data: data, Recipients: to, TraceParent: e.TraceParent}, nil
}
