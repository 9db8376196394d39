package deadletter

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"orderbell/internal/event/cloudevent"
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
// cannot change a record, so the note follows the dead letter and names its place.
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
		ce.SetExtension(cloudevent.ExtPartitionKey, Text(string(key)))
	}
	if err := ce.SetData(cloudevents.ApplicationJSON, r); err != nil {
		return cloudevents.Event{}, fmt.Errorf("encode redrive note: %w", err)
	}
	return ce, nil
}

// ParseRedriven returns the note that ce is, or false for any other event, such as a dead letter.
func ParseRedriven(ce cloudevents.Event) (Redriven, bool) {
	if ce.Type() != TypeRedriven || ce.Source() != redrivenSource {
		return Redriven{}, false
	}
	var note Redriven
	if err := json.Unmarshal(ce.Data(), &note); err != nil {
		return Redriven{}, false
	}
	return note, true
}
