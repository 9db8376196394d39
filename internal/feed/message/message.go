// Package message defines the feed's messages from functions to the gateway, and positions in a tenant's stream.
package message

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"orderbell/internal/event"
)

// Message is an order's change, for all streams of the tenant, or a user's read notifications, for that user's streams.
type Message struct {
	ID          string            `json:"id"`             // the event id
	Event       event.Type        `json:"event"`          // the SSE event name
	Data        json.RawMessage   `json:"data,omitempty"` // of an order's change: a JSON object, which the page reads
	Read        *Reading          `json:"read,omitempty"` // of NotificationRead
	Recipients  []event.Recipient `json:"recipients"`
	TraceParent string            `json:"traceparent,omitempty"` // the span that published it
	TraceState  string            `json:"tracestate,omitempty"`
	// Cold says that the function which published it had not started when the order changed: the event waited for it.
	Cold bool `json:"cold,omitempty"`
	// Again marks a delivery that is not the event's first. An earlier one may have been published, and its mark may
	// have expired, so a client may have seen the event at another position of the stream.
	Again bool `json:"again,omitempty"`
}

// Commit is a committed change of an order whose event will follow.
type Commit struct {
	EventID string          `json:"id"`
	Data    json.RawMessage `json:"data,omitempty"` // the event's data, a JSON object; nil: not sent
}

// MaxCommits bounds the commits of a tenant in one message. The orders of older commits are shown when their events arrive.
const MaxCommits = 64

// NotificationRead is the event that tells a user's other tabs which notifications were read. It exists only in the
// feed, not in the topic.
const NotificationRead event.Type = "notification_read"

// Reading is the set of notifications that a user has just read.
type Reading struct {
	NotificationIDs []string `json:"notification_ids"` // never null
	All             bool     `json:"all"`              // all earlier notifications, more than the ids that are listed
	Unread          int      `json:"unread"`           // unread notifications that are left
}

// Message converts r to a message for the user's streams, with a new id.
func (r Reading) Message(userID string) (Message, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Message{}, fmt.Errorf("make a message id: %w", err)
	}
	return Message{ID: id.String(), Event: NotificationRead, Read: &r, Recipients: []event.Recipient{{UserID: userID}}}, nil
}

// Valid reports whether m is valid. An order's data only has to be a JSON object.
func (m Message) Valid() bool {
	switch {
	case m.ID == "":
		return false
	case m.Event == NotificationRead:
		return m.Read != nil
	}
	return m.Event.Valid() && len(m.Data) > 0 && m.Data[0] == '{' && json.Valid(m.Data)
}

// New returns the message for e with the users who have a notification of it.
func New(e event.Event, to []event.Recipient) (Message, error) {
	if to == nil {
		to = []event.Recipient{} // the contract requires an array, not null
	}
	data, err := e.Content()
	if err != nil {
		return Message{}, err
	}
	return Message{ID: e.ID, Event: e.Type, Data: data, Recipients: to, TraceParent: e.TraceParent, TraceState: e.TraceState}, nil
}
