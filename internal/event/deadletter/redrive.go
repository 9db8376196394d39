package deadletter

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"orderbell/internal/event/cloudevent"
)

// knativePrefix is the prefix of extensions that brokers add, such as knativeerrordest and knativearrivaltime.
const knativePrefix = "knative"

// Redrive returns the original event of a dead letter, byte for byte, without the extensions of the failure.
func Redrive(letter cloudevent.Event) cloudevent.Event {
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

// noteSource is the CloudEvents source of notes.
const noteSource = "/orderbell/deadletter"

// Redriven is the note, on the topic of dead letters, that a dead letter was redriven. A record cannot be changed, so
// the note is a later record that names the place of the dead letter.
type Redriven struct {
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	EventID   string    `json:"event_id"`
	At        time.Time `json:"redriven_at"`
}

// CloudEvent converts r to an event of the topic. key is that of the dead letter, so that both have the same retention.
func (r Redriven) CloudEvent(id string, key []byte) (cloudevent.Event, error) {
	ce, err := note(TypeRedriven, id, key, r.EventID, r.At, r)
	if err != nil {
		return cloudevent.Event{}, fmt.Errorf("encode redrive note: %w", err)
	}
	return ce, nil
}

// ParseRedriven returns the note that ce is, or false for any other event, such as a dead letter.
func ParseRedriven(ce cloudevent.Event) (Redriven, bool) {
	var r Redriven
	if ce.Type() != TypeRedriven || ce.Source() != noteSource || json.Unmarshal(ce.Data(), &r) != nil {
		return Redriven{}, false
	}
	return r, true
}
