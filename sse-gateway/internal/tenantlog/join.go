package tenantlog

import (
	"strings"

	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/frame"
)

// Joined is the start position of a subscriber.
type Joined struct {
	Cursor  uint64
	ID      string // the id of the event before the cursor, for the client's next reconnect
	Resumed bool   // the missed frames follow; otherwise the client must load the snapshot, even if frames follow
	Resync  Reason // not "": the client must load the snapshot, because the log does not have what it missed
	Tail    string // with Resync: the id of the log's last event

	Degraded Degraded // what the log's clients were already told
}

// Degradation returns the frame for a client that joins while the feed is not guaranteed.
func (j Joined) Degradation() frame.Event {
	id := j.ID
	if j.Resync != "" {
		id = j.Tail
	}
	return j.Degraded.frame(id)
}

// Join returns the cursor for a client with the last event id; "" for a new client.
func (l *Log) Join(lastEventID string) Joined {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lastEventID == "" {
		return Joined{Cursor: l.next, ID: l.idAt(l.next), Degraded: l.told}
	}
	if cursor, sure, ok := l.find(lastEventID); ok {
		return Joined{Cursor: cursor, ID: lastEventID, Resumed: sure, Degraded: l.told}
	}
	// The client must not count as up to date before it has received the resync frame.
	return Joined{Cursor: l.next, ID: StartID, Resync: UnknownID, Tail: l.idAt(l.next), Degraded: l.told}
}

// find returns the cursor after the frame with an id. For a notification the cursor is before its event: both are
// replayed, and the client recognises the notification by its id. sure is false if the client may have missed more than
// the frames after the cursor: it may have seen the event in a stream that Redis has lost, or the log may begin after a
// loss of Redis's data.
func (l *Log) find(id string) (cursor uint64, sure, ok bool) {
	if id == StartID {
		return l.first(), false, l.base == message.Tail{}
	}
	if len(id) > maxEventID+len(NotificationSuffix) {
		return 0, false, false
	}
	eventID, notification := strings.CutSuffix(id, NotificationSuffix)
	for i := len(l.segments) - 1; i >= 0; i-- {
		s := l.segments[i]
		for j := len(s.entries) - 1; j >= 0; j-- {
			e := &s.entries[j]
			if e.control || !s.is(j, eventID) {
				continue
			}
			cursor, ok = s.first+uint64(j), true
			if !notification {
				cursor++
			}
			if !e.again {
				return cursor, true, true
			}
		}
	}
	if !notification && eventID == l.base.EventID {
		return l.first(), true, true
	}
	return cursor, false, ok
}

// Reached reports whether the log has everything up to a position.
func (l *Log) Reached(at message.Position) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last.At.Compare(at) >= 0
}

// ended returns the log's last position and event.
func (l *Log) ended() message.Tail {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}
