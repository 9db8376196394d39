package deadletter

import (
	"encoding/json"
	"fmt"
	"time"

	"orderbell/internal/event/cloudevent"
)

// TypeClosed is the type of a [Closed] on the topic of dead letters.
const TypeClosed = "dead_letter_closed"

// Closed is the note, on the topic of dead letters, that a dead letter will not be redriven.
type Closed struct {
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	EventID   string    `json:"event_id"`
	At        time.Time `json:"closed_at"`
	By        string    `json:"closed_by"`
	Reason    string    `json:"reason"`
}

// CloudEvent converts c to an event of the topic. key is that of the dead letter, so that both have the same retention.
func (c Closed) CloudEvent(id string, key []byte) (cloudevent.Event, error) {
	ce, err := note(TypeClosed, id, key, c.EventID, c.At, c)
	if err != nil {
		return cloudevent.Event{}, fmt.Errorf("encode the note of a closed letter: %w", err)
	}
	return ce, nil
}

// note returns a note with data about the event of a dead letter with the key.
func note(typ, id string, key []byte, eventID string, at time.Time, data any) (cloudevent.Event, error) {
	ce := cloudevent.Empty()
	ce.SetID(id)
	ce.SetSource(noteSource)
	ce.SetType(typ)
	ce.SetSubject(eventID)
	ce.SetTime(at)
	if len(key) > 0 {
		ce.SetExtension(cloudevent.ExtPartitionKey, Text(string(key)))
	}
	err := ce.SetData(cloudevent.JSON, data)
	return ce, err //nolint:wrapcheck // the type is set by the caller
}

// ParseClosed returns the note that ce is, or false for any other event, such as a dead letter.
func ParseClosed(ce cloudevent.Event) (Closed, bool) {
	var c Closed
	if ce.Type() != TypeClosed || ce.Source() != noteSource || json.Unmarshal(ce.Data(), &c) != nil {
		return Closed{}, false
	}
	return c, true
}
