package deadletter

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

// noteSource is who writes the notes.
const noteSource = "/orderbell/deadletter"

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
	ce, err := note(TypeRedriven, id, key, r.EventID, r.At, r)
	if err != nil {
		return cloudevents.Event{}, fmt.Errorf("encode redrive note: %w", err)
	}
	return ce, nil
}

// ParseRedriven returns the note that ce is, or false for any other event, such as a dead letter.
func ParseRedriven(ce cloudevents.Event) (Redriven, bool) {
	var r Redriven
	if ce.Type() != TypeRedriven || ce.Source() != noteSource || json.Unmarshal(ce.Data(), &r) != nil {
		return Redriven{}, false
	}
	return r, true
}
