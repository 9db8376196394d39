// Package tenantlog keeps a tenant's recent messages as rendered frames for its clients.
//
// One log serves all of a tenant's subscribers on this instance. A frame is rendered once and a subscriber is a cursor
// into the log, so nothing is queued or copied per subscriber. Joining takes the same lock as appending: earlier frames
// are in the log, later ones follow the cursor, without a gap or a duplicate. A log is bounded in bytes and events, and
// all logs together by the gateway's budget. A subscriber whose cursor falls off the tail is told so.
//
// Order: frames stand in the order of the tenant's stream. Duplicates: a message is added once, by its position. Loss:
// if a message does not follow the last one, the log reads the gap from the stream; a gap that cannot be read becomes a
// resync frame.
package tenantlog

import (
	"slices"
	"sync"
	"time"

	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/visible"
)

// Waker is told that a log has grown. Wake must not block.
type Waker interface{ Wake(*Log) }

// Log is one tenant's ring of rendered frames.
type Log struct {
	TenantID string

	limits   limits
	total    *ledger
	snapshot string
	warmed   chan struct{} // closed once the log has been filled from the stream

	mu       sync.Mutex
	segments []*segment   // oldest first, never empty ones
	frames   int          // bytes of frames in segments
	bytes    int          // heap bytes of the segments
	charged  int          // the part that is counted in the total
	gone     bool         // it is no longer counted
	next     uint64       // the number of the next entry; a cursor is the number of the next entry to be written
	base     message.Tail // position and id before the oldest entry
	last     message.Tail // position and id of the last entry
	warm     bool
	want     message.Position // the newest known position
	catching bool             // a goroutine reads the stream
	again    bool             // it must read once more
	missing  time.Time        // while catching: since when no read has succeeded
	lost     time.Time        // since when the subscription is lost; zero: it is active
	expected []expectation    // the events that must arrive, oldest first
	early    []string         // the events whose orders are shown without them unless they come in time
	told     Degraded         // what the clients were told last; zero: the feed is guaranteed
	proving  bool             // the interruption is over, and the missed messages are read
	wakers   []Waker          // replaced, never changed, so that it can be read without the lock
	writers  int              // calls of Attend without a Leave yet
	underway []underway       // by number

	measure *visible.Recorder // nil: changes are not measured

	// Used by the registry, under its lock.
	watchers int
	idle     int    // sweeps since the last watcher left
	left     uint64 // order in which logs lost their last watcher
}

type limits struct{ bytes, events int }

func newLog(tenantID, snapshot string, l limits, total *ledger) *Log {
	log := &Log{TenantID: tenantID, limits: l, total: total, snapshot: snapshot, warmed: make(chan struct{}), next: 1}
	log.settle()
	return log
}

// Watch wakes w whenever the log grows, until Unwatch.
func (l *Log) Watch(w Waker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wakers = append(append([]Waker(nil), l.wakers...), w)
}

// Unwatch ends Watch.
func (l *Log) Unwatch(w Waker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var rest []Waker
	for _, other := range l.wakers {
		if other != w {
			rest = append(rest, other)
		}
	}
	l.wakers = rest
}

// first returns the number of the oldest entry. The caller holds the lock.
func (l *Log) first() uint64 {
	if len(l.segments) == 0 {
		return l.next
	}
	return l.segments[0].first
}

// Batch returns the frames from cursor on that are in one segment, up to about most bytes, at least one. The batch is
// empty at the log's end. It returns false if the cursor has fallen off the tail.
func (l *Log) Batch(cursor uint64, most int) (Batch, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if cursor >= l.next {
		return Batch{From: cursor, To: cursor}, true
	}
	for i := len(l.segments) - 1; i >= 0; i-- {
		if s := l.segments[i]; s.first <= cursor {
			return s.batch(cursor, most), true
		}
	}
	return Batch{}, false
}

// Window returns the oldest cursor that has not fallen off the tail, and the cursor after the newest frame.
func (l *Log) Window() (oldest, end uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first(), l.next
}

// IDAt returns the last event id of a client at cursor, for frames that are not in the log; "0" before the first event.
func (l *Log) IDAt(cursor uint64) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.idAt(cursor)
}

func (l *Log) idAt(cursor uint64) string {
	id := l.base.EventID
	for i := len(l.segments) - 1; i >= 0; i-- {
		if s := l.segments[i]; s.first < cursor {
			id = s.id(int(min(cursor-s.first, uint64(len(s.entries)))) - 1) //nolint:gosec // at most a length
			break
		}
	}
	if id == "" {
		return StartID // also if the id is unknown: a client with it replays the whole log, or resyncs
	}
	return id
}

// append adds an entry and drops the oldest beyond the limits. The caller holds the lock.
func (l *Log) append(at message.Tail, r rendered) {
	s := l.room(r)
	l.bytes -= s.held()
	s.add(at, r)
	l.bytes += s.held()
	l.frames += len(r.chunk)
	l.next++
	l.last = at
	l.keepLimits()
	l.settle()
}

// keepLimits drops the oldest entries beyond the limits, but never the newest. The caller holds the lock.
func (l *Log) keepLimits() {
	for len(l.segments) > 1 && (l.bytes > l.limits.bytes || l.next-l.first() > uint64(l.limits.events)) { //nolint:gosec // New refuses negative limits
		l.dropOldest()
	}
}

// bound changes the limit of the log's bytes.
func (l *Log) bound(most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limits.bytes == most {
		return
	}
	l.limits.bytes = most
	l.keepLimits()
	l.settle()
}

// dropOldest drops the oldest segment. The caller holds the lock.
func (l *Log) dropOldest() {
	oldest := l.segments[0]
	newest := len(oldest.entries) - 1
	l.base = message.Tail{At: oldest.entries[newest].at, EventID: oldest.id(newest)}
	if e := oldest.entries[newest]; e.control || e.again {
		l.base.EventID = "" // a client with that id may not have the entries that are dropped here
	}
	l.bytes -= oldest.held()
	l.frames -= len(oldest.data)
	l.segments = append([]*segment(nil), l.segments[1:]...)
}

// clear drops everything. The caller holds the lock.
func (l *Log) clear() {
	l.segments, l.bytes, l.frames = nil, 0, 0
	l.settle()
}

// Sizes of segments: small for a quiet tenant, and at most about a quarter of the log or an eighth of its limit,
// because they are dropped as a whole.
const (
	segmentMin = 2 << 10
	segmentMax = 64 << 10 // the size of one write
)

// room returns a segment with room for an entry.
func (l *Log) room(r rendered) *segment {
	n := len(r.chunk)
	if len(l.segments) > 0 {
		s := l.segments[len(l.segments)-1]
		most := min(l.limits.bytes/8, max(4*segmentMin, l.bytes/4))
		fits := len(s.data)+n <= cap(s.data) && s.held()+r.size() <= most
		if fits && len(s.entries) < max(1, l.limits.events/8) {
			return s
		}
		l.bytes -= s.held()
		s.seal()
		l.bytes += s.held()
	}
	size := max(n, segmentMin, min(segmentMax, l.frames/2, l.limits.bytes/8))
	s := &segment{first: l.next, data: slices.Grow([]byte(nil), size)} // the full allocated capacity is counted
	l.segments = append(l.segments[:len(l.segments):len(l.segments)], s)
	l.bytes += s.held()
	return s
}
