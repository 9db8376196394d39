package deadletter

import (
	"encoding/json"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"orderbell/internal/event/cloudevent"
)

// TypeClosed is the type of a [Closed] on the topic of dead letters.
const TypeClosed = "dead_letter_closed"

// Closed is the note, on the topic of dead letters, that one of them will not be sent again.
type Closed struct {
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	EventID   string    `json:"event_id"`
	At        time.Time `json:"closed_at"`
	By        string    `json:"closed_by"`
	Reason    string    `json:"reason"`
}

// CloudEvent returns c in the form of the topic. Key is that of the letter, so that both are kept equally long.
func (c Closed) CloudEvent(id string, key []byte) (cloudevents.Event, error) {
	ce := cloudevents.NewEvent()
	ce.SetID(id)
	ce.SetSource(redrivenSource)
	ce.SetType(TypeClosed)
	ce.SetSubject(c.EventID)
	ce.SetTime(c.At)
	if len(key) > 0 {
		ce.SetExtension(cloudevent.ExtPartitionKey, Text(string(key)))
	}
	if err := ce.SetData(cloudevents.ApplicationJSON, c); err != nil {
		return cloudevents.Event{}, fmt.Errorf("encode the note of a closed letter: %w", err)
	}
	return ce, nil
}

// ParseClosed returns the note that ce is, or false for any other event, such as a dead letter.
func ParseClosed(ce cloudevents.Event) (note Closed, ok bool) {
	if ce.Type() != TypeClosed || ce.Source() != redrivenSource || json.Unmarshal(ce.Data(), &note) != nil {
		return Closed{}, false
	}
	return note, true
}
