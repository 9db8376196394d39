package deadletter

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"
	"unicode/utf8"

	"orderbell/internal/bus/record"
	"orderbell/internal/event"
	"orderbell/internal/event/deadletter"
)

// Exhibit is a dead letter with its full content.
type Exhibit struct {
	Letter

	Time       string         `json:"time,omitempty"` // the event's
	Extensions map[string]any `json:"extensions,omitempty"`
	Answer     string         `json:"answer,omitempty"`      // the subscriber's, its first 1024 bytes
	Data       string         `json:"data,omitempty"`        // as text, or
	DataBase64 []byte         `json:"data_base64,omitempty"` // if it is not JSON
}

// Show returns the letters that id names: one by its place, or all of an event, oldest first.
func (o *Office) Show(ctx context.Context, id string) ([]Exhibit, error) {
	found := map[place]Exhibit{}
	letters, _, err := o.read(ctx, time.Time{}, func(l *Letter, r record.Record) {
		if l.is(id) {
			found[l.place] = exhibit(r)
		}
	})
	if err != nil {
		return nil, err
	}
	var exhibits []Exhibit
	for _, l := range letters {
		if e, ok := found[l.place]; ok {
			e.Letter = l
			exhibits = append(exhibits, e)
		}
	}
	if len(exhibits) == 0 {
		return nil, fmt.Errorf("there is no dead letter %s: orderbell deadletter list shows the ids", id)
	}
	return exhibits, nil
}

func (l *Letter) is(id string) bool { return l.ID == id || l.EventID == id }

func exhibit(r record.Record) Exhibit {
	e := Exhibit{Extensions: r.Event.Extensions()}
	raw := r.Value
	if r.Err == nil {
		raw = r.Event.Data()
		if at := r.Event.Time(); !at.IsZero() {
			e.Time = at.Format(time.RFC3339Nano)
		}
		if answer, err := base64.StdEncoding.DecodeString(text(r.Event, deadletter.ExtErrorData)); err == nil {
			e.Answer = event.Printable(string(answer))
		}
	}
	if utf8.Valid(raw) {
		e.Data = string(raw)
	} else {
		e.DataBase64 = raw
	}
	return e
}
