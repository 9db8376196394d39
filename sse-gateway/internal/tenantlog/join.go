package tenantlog

import (
	"strings"

	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/frame"
)

// Joined is where a subscriber begins.
type Joined struct {
	Cursor  uint64
	ID      string // the id of the event before the cursor, as the client may send it when it comes back
	Resumed bool   // what the client missed follows; else it must load the snapshot, though frames may follow
	Resync  Reason // not "": it must load the snapshot, since the log cannot say what it missed
	Tail    string // with Resync: the id of the log's last event

	Degraded Degraded // what the watchers of the log know already
}

// Degradation returns the frame for a client that joins while the feed is not guaranteed.
func (j Joined) Degradation() frame.Event {
	id := j.ID
	if j.Resync != "" {
		id = j.Tail
	}
	return j.Degraded.frame(id)
}

// Join returns the cursor for a client that has seen lastEventID last, "" if it is new.
func (l *Log) Join(lastEventID string) Joined {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lastEventID == "" {
		return Joined{Cursor: l.next, ID: l.idAt(l.next), Degraded: l.told}
	}
	if cursor, sure, ok := l.find(lastEventID); ok {
		return Joined{Cursor: cursor, ID: lastEventID, Resumed: sure, Degraded: l.told}
	}
	// Until the resync frame has reached the client, it must not believe that it is up to date.
	return Joined{Cursor: l.next, ID: StartID, Resync: UnknownID, Tail: l.idAt(l.next), Degraded: l.told}
}

// find returns the cursor after the frame with an id. A notification's cursor is before its event: both are replayed,
// and the client knows the first by the notification's id. sure is false where the frames after the cursor may not be all that the
// client missed: if the client may have seen the event earlier, in a stream that Redis has lost, or at the beginning, which
// may be the beginning of a Redis that lost its memory.
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

// Reached says whether the log holds everything up to a position, or is past it.
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
