package tenantlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"orderbell/internal/event"
	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/frame"
	"orderbell/sse-gateway/internal/visible"
)

// StartID is the id of a stream's beginning: a client with it has seen no event yet.
const StartID = "0"

// NotificationSuffix is appended to the event's id for the id of its notification frames.
const NotificationSuffix = ".n"

// Reason is why a client must load the snapshot.
type Reason string

// The reasons of a resync.
const (
	UnknownID  Reason = "unknown_id"  // the client's last id is malformed, unknown, or another tenant's
	TooOld     Reason = "too_old"     // it is known, but the messages after it are no longer kept
	StreamLost Reason = "stream_lost" // Redis has lost a part of the stream, by failover, flush or trimming
	Unreadable Reason = "unreadable"  // an entry of the stream could not be read
)

// Reasons returns every reason.
func Reasons() []Reason { return []Reason{UnknownID, TooOld, StreamLost, Unreadable} }

// Resync returns the frame that sends a client to the snapshot. Its id is that of the last event before the position at
// which the client continues.
func Resync(id string, why Reason, snapshot string) frame.Event {
	return frame.Event{ID: id, Name: "resync", Data: encode(map[string]string{"reason": string(why), "snapshot": snapshot})}
}

func renderResync(id string, why Reason, snapshot string) rendered {
	return chunk(Resync(id, why, snapshot), true)
}

func chunk(e frame.Event, control bool) rendered {
	content := frame.Append(nil, e)
	r := rendered{chunk: frame.AppendChunk(nil, content), id: e.ID, control: control}
	r.content = bytes.IndexByte(r.chunk, '\n') + 1
	r.idAt = r.content + len("id: ")
	return r
}

// render renders a message's frames. A message that would break the framing is an error.
func render(m message.Message, change *visible.Change) (rendered, error) {
	if !isEventID(m.ID) {
		return rendered{}, fmt.Errorf("event id %q cannot be the id of a frame", m.ID)
	}
	if !m.Valid() {
		return rendered{}, errors.New("the message is not of the contract")
	}
	if m.Event == message.NotificationRead {
		return renderReading(m)
	}
	r := chunk(frame.Event{ID: m.ID, Name: string(m.Event), Data: named(m.Data, change)}, false)
	r.again = m.Again
	if len(m.Recipients) > 0 {
		r.audience = newAudience(m)
	}
	return r, nil
}

// renderReading makes the frame for the streams of one user.
func renderReading(m message.Message) (rendered, error) {
	data, err := json.Marshal(m.Read)
	if err != nil {
		return rendered{}, fmt.Errorf("encode reading: %w", err)
	}
	a := &audience{id: m.ID, head: frame.Append(nil, frame.Event{ID: m.ID, Name: string(m.Event), Data: data})}
	readers := make([]event.Recipient, 0, len(m.Recipients))
	for _, p := range m.Recipients {
		readers = append(readers, event.Recipient{UserID: p.UserID})
	}
	a.address(readers)
	return rendered{id: m.ID, audience: a}, nil
}

// maxEventID bounds an event id: a UUID has 36 bytes.
const maxEventID = 128

// isEventID reports whether an id can be used in a frame and differs from the gateway's own ids.
func isEventID(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return id != "" && len(id) <= maxEventID && id != StartID && !strings.HasSuffix(id, NotificationSuffix)
}

// newAudience renders the common part of all notification frames:
//
//	data: {"notification_id":"…","event_id":"…","event":"order_paid","data":{…}}
func newAudience(m message.Message) *audience {
	const hole = "\x01" // placeholder of the notification's id; JSON never contains it
	whole := fmt.Appendf(nil, `{"notification_id":"%s","event_id":%s,"event":"%s","data":%s}`, hole, quote(m.ID), m.Event, m.Data)
	whole = frame.Append(nil, frame.Event{ID: m.ID + NotificationSuffix, Name: "notification", Data: whole})
	head, tail, _ := bytes.Cut(whole, []byte(hole))
	a := &audience{id: m.ID, head: head, tail: tail}
	a.address(m.Recipients)
	return a
}

func quote(s string) string {
	quoted, _ := json.Marshal(s) // strings always encode
	return string(quoted)
}
