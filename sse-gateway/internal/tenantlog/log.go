// Package tenantlog keeps what happened to a tenant lately, as frames that are ready to be written to its watchers.
//
// One log serves all of a tenant's subscribers on this instance. A frame is rendered once, a subscriber is a cursor into
// the log, so nothing is queued or copied for anyone. Joining gives a cursor under the lock that appending takes: what
// comes before it is in the log, what comes after it follows the cursor, with no gap and no duplicate between the two.
// A log is bounded in bytes and events, all logs together by the gateway's budget; a cursor that falls off its tail is told
// so.
//
// Order: frames stand in the order of the tenant's stream. Duplicates: a message enters once, by its position. Loss: a
// message that does not follow the last one makes the log read the hole from the stream; what cannot be read any more
// becomes a resync frame, never silence.
package tenantlog

import (
	"slices"
	"sync"
	"time"

	"orderbell/internal/feed/message"
)

// Waker is told that a log has grown. Wake must not block.
type Waker interface{ Wake(*Log) }

// Log is one tenant's ring of rendered frames.
type Log struct {
	TenantID string

	limits   limits
	total    *ledger
	snapshot string
	warmed   chan struct{} // closed once the log holds what the stream held

	mu       sync.Mutex
	segments []*segment   // oldest first, never empty ones
	frames   int          // bytes of frames in segments
	bytes    int          // what segments hold of the heap
	charged  int          // what of it is counted in total
	gone     bool         // it is counted no more
	next     uint64       // the number of the next entry; a cursor is the number of the next entry to be written
	base     message.Tail // what came before the oldest entry
	last     message.Tail // what came last
	warm     bool
	want     message.Position // the newest position heard of
	catching bool             // somebody reads the stream
	again    bool             // and is asked to look once more
	missing  time.Time        // while catching: since when nothing was read
	lost     time.Time        // since when the channel is not followed; zero: it is
	told     Degraded         // what the watchers were told last; zero: that the feed is guaranteed
	proving  bool             // the trouble is over, and what was missed is read
	wakers   []Waker          // replaced, never changed, so that it can be read without the lock

	// Of the registry, under its lock.
	watchers int
	idle     int    // sweeps since the last watcher left
	left     uint64 // tells which log was left longest ago
}

type limits struct{ bytes, events int }

func newLog(tenantID, snapshot string, l limits, total *ledger) *Log {
	log := &Log{TenantID: tenantID, limits: l, total: total, snapshot: snapshot, warmed: make(chan struct{}), next: 1}
	log.settle()
	return log
}

// Watch has w woken whenever the log grows, until Unwatch.
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

// Batch returns the frames from cursor on, as far as they lie together and up to about most bytes, at least one. The
// batch is empty at the log's end. It returns false if the cursor has fallen off the tail.
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

// IDAt returns the id that a client at cursor has seen last, for frames that are not the log's own: "0" before the first
// event of all.
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
		return StartID // also where the id is not known: a client with it replays all there is, or resyncs
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

// keepLimits drops the oldest beyond the limits, but never the newest. The caller holds the lock.
func (l *Log) keepLimits() {
	for len(l.segments) > 1 && (l.bytes > l.limits.bytes || l.next-l.first() > uint64(l.limits.events)) { //nolint:gosec // New refuses negative limits
		l.dropOldest()
	}
}

// bound changes how many bytes the log holds at most.
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
		l.base.EventID = "" // who has seen that event may not have seen what is dropped here
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

// How segments are cut: small for a quiet tenant, and never much more than a quarter of what the log holds or an eighth of
// what it may, since they are dropped as a whole.
const (
	segmentMin = 2 << 10
	segmentMax = 64 << 10 // one write's worth
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
	s := &segment{first: l.next, data: slices.Grow([]byte(nil), size)} // all that the allocator gives is counted
	l.segments = append(l.segments[:len(l.segments):len(l.segments)], s)
	l.bytes += s.held()
	return s
}
