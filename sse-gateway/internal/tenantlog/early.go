package tenantlog

import (
	"encoding/json"
	"slices"
	"time"

	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/frame"
)

// earlyAfter is how long an event may take before its order is shown without it. It is longer than the usual time through Kafka
// and a running function, so that clients usually get one frame: the event's frame.
const earlyAfter = 30 * time.Millisecond

// mostEarly bounds the changes of one log that wait for their events.
const mostEarly = 256

// showEarly shows the orders of commits whose events have not arrived after earlyAfter: a function is still starting, or something
// between the outbox and Redis is down.
func (l *Logs) showEarly(log *Log, commits []message.Commit) {
	var shown []message.Commit
	for _, c := range commits {
		if isEarly(c) {
			shown = append(shown, c)
		}
	}
	if log.awaitEvents(shown) {
		time.AfterFunc(earlyAfter, func() {
			l.Counts.EarlyFrames.Add(int64(log.overtake(shown)))
		})
	}
}

// isEarly reports whether a commit has data for a frame.
func isEarly(c message.Commit) bool {
	return len(c.Data) > 0 && c.Data[0] == '{' && json.Valid(c.Data)
}

// awaitEvents records the commits whose events have not arrived, and reports whether there are any.
func (l *Log) awaitEvents(commits []message.Commit) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.warm {
		return false // no client watches yet
	}
	waits := false
	for _, c := range commits {
		if len(l.early) < mostEarly && !l.isRecent(c.EventID) {
			l.early = append(l.early, c.EventID)
			waits = true
		}
	}
	return waits
}

// recent is the number of newest entries that are searched for an event that overtook the message of its commit.
const recent = 64

// isRecent reports whether the event is one of the newest. The caller holds the lock.
func (l *Log) isRecent(eventID string) bool {
	for left, i := recent, len(l.segments)-1; left > 0 && i >= 0; i-- {
		s := l.segments[i]
		for j := len(s.entries) - 1; left > 0 && j >= 0; j-- {
			if !s.entries[j].control && s.is(j, eventID) {
				return true
			}
			left--
		}
	}
	return false
}

// overtake adds a frame for each commit whose event has still not arrived, and returns the number of frames.
func (l *Log) overtake(commits []message.Commit) (n int) {
	l.mu.Lock()
	for _, c := range commits {
		if i := slices.Index(l.early, c.EventID); i >= 0 {
			l.early = slices.Delete(l.early, i, i+1)
			l.append(l.last, chunk(committed(l.idAt(l.next), c.Data), true))
			n++
		}
	}
	wakers := l.wakers
	l.mu.Unlock()
	if n > 0 {
		l.wake(wakers)
	}
	return n
}

// committed returns the frame of an order whose event has not arrived. id is the id of the last event before it.
func committed(id string, data []byte) frame.Event {
	return frame.Event{ID: id, Name: "order_committed", Data: data}
}
