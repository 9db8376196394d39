package event

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// knativePrefix begins what brokers add to an event on their way: knativeerrordest and the like, knativearrivaltime.
const knativePrefix = "knative"

// Redrive returns the event that a dead letter was, byte for byte: without what its failure added.
func Redrive(letter cloudevents.Event) cloudevents.Event {
	e := letter.Clone()
	for name := range letter.Extensions() {
		if name == ExtReason || strings.HasPrefix(name, knativePrefix) {
			e.SetExtension(name, nil)
		}
	}
	return e
}

// TypeRedriven is the type of a [Redriven] on the topic of dead letters.
const TypeRedriven = "dead_letter_redriven"

// redrivenSource is who writes them.
const redrivenSource = "/orderbell/deadletter"

// Redriven is the note, on the topic of dead letters, that one of them was sent to the topic of events again. The topic
// cannot change a record, so the note lies behind the letter and names its place.
type Redriven struct {
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	EventID   string    `json:"event_id"`
	At        time.Time `json:"redriven_at"`
}

// CloudEvent returns r in the form of the topic. Key is that of the letter, so that both are kept equally long.
func (r Redriven) CloudEvent(id string, key []byte) (cloudevents.Event, error) {
	ce := cloudevents.NewEvent()
	ce.SetID(id)
	ce.SetSource(redrivenSource)
	ce.SetType(TypeRedriven)
	ce.SetSubject(r.EventID)
	ce.SetTime(r.At)
	if len(key) > 0 {
		ce.SetExtension(ExtPartitionKey, text(string(key)))
	}
	if err := ce.SetData(cloudevents.ApplicationJSON, r); err != nil {
		return cloudevents.Event{}, fmt.Errorf("encode redrive note: %w", err)
	}
	return ce, nil
}

// Redriven returns the note that the record is, or false for anything else, a dead letter above all.
func (r Record) Redriven() (Redriven, bool) {
	if r.Err != nil || r.Event.Type() != TypeRedriven || r.Event.Source() != redrivenSource {
		return Redriven{}, false
	}
	var note Redriven
	if err := json.Unmarshal(r.Event.Data(), &note); err != nil {
		return Redriven{}, false
	}
	return note, true
}

// Span is a part of a topic's partition: the offsets from From up to, not including, To.
type Span struct {
	Partition int32
	From, To  int64
}
