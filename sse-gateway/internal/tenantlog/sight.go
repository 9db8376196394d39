package tenantlog

import (
	"bytes"
	"slices"

	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/visible"
)

// underway is a change whose frame some writers still have to write.
type underway struct {
	number  uint64 // of its entry
	waits   int    // writers that still have to write it
	written bool   // at least one writer has written it
	change  *visible.Change
}

// maxUnderway bounds the changes that are measured at once. A log beyond it is not measured until its writers have caught up.
const maxUnderway = 8192

// Attend registers a writer, which writes the log's frames to clients from now on, until Leave. It returns the number of the next
// frame.
func (l *Log) Attend() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writers++
	return l.next
}

// Wrote records that the caller has written the frames with numbers in [from, to) to all of its clients that have room.
func (l *Log) Wrote(from, to uint64) {
	l.mu.Lock()
	done := l.wrote(from, to, true)
	l.mu.Unlock()
	settle(done)
}

// Leave ends Attend. The caller has written the frames before from.
func (l *Log) Leave(from uint64) {
	l.mu.Lock()
	l.writers--
	done := l.wrote(from, l.next, false)
	l.mu.Unlock()
	settle(done)
}

// wrote returns the changes that every writer has written. The caller holds the lock.
func (l *Log) wrote(from, to uint64, written bool) (done []underway) {
	if len(l.underway) == 0 {
		return nil
	}
	rest := l.underway[:0]
	for _, u := range l.underway {
		if u.number >= from && u.number < to {
			u.waits--
			u.written = u.written || written
		}
		if u.waits > 0 {
			rest = append(rest, u)
		} else {
			done = append(done, u)
		}
	}
	clear(l.underway[len(rest):])
	l.underway = rest
	return done
}

func settle(done []underway) {
	for _, u := range done {
		if u.written {
			u.change.Written()
		} else {
			u.change.Dropped()
		}
	}
}

// begin starts the measurement of p's change. It returns nil if the change is not measured. The caller holds the lock.
func (l *Log) begin(p message.Published) *visible.Change {
	if l.measure == nil || l.writers == 0 || p.Err != nil || len(l.underway) >= maxUnderway {
		return nil
	}
	return l.measure.Begin(l.TenantID, p.Message)
}

// track measures change until the writers have written the newest entry, its frame. The caller holds the lock.
func (l *Log) track(change *visible.Change) {
	if change != nil {
		l.underway = append(l.underway, underway{number: l.next - 1, waits: l.writers, change: change})
	}
}

// named returns an order's data with the span that the page names in its receipt.
func named(data []byte, change *visible.Change) []byte {
	if change == nil {
		return data
	}
	parent := change.TraceParent()
	end := bytes.LastIndexByte(data, '}')
	if parent == "" || end < 2 || bytes.Contains(data, []byte(`"traceparent"`)) {
		return data
	}
	return append(append(slices.Clone(data[:end]), `,"traceparent":"`+parent+`"`...), '}')
}
