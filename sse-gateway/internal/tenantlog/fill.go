package tenantlog

import (
	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/visible"
)

// Outcome is the result of a message.
type Outcome int

// The outcomes of [Log.Apply].
const (
	Applied   Outcome = iota // it is in the log
	Duplicate                // it is already in the log
	Gap                      // an earlier message is missing: the stream must be read
)

// Apply adds a message from the channel if it follows the last one.
func (l *Log) Apply(p message.Published) Outcome {
	l.mu.Lock()
	switch {
	case !l.warm || p.At == (message.Position{}): // too early, or malformed
		l.expect(p.At)
		l.mu.Unlock()
		return Gap
	case l.had(p.At, p.Message.ID):
		l.mu.Unlock()
		return Duplicate
	case p.Prev != l.last.At: // also a position that went back: a failover, perhaps
		l.expect(p.At)
		l.mu.Unlock()
		return Gap
	}
	l.add(p, l.begin(p))
	wakers := l.wakers
	l.mu.Unlock()
	l.wake(wakers)
	return Applied
}

// had reports whether an entry is or was in the log. The caller holds the lock.
func (l *Log) had(at message.Position, eventID string) bool {
	if at == l.last.At {
		return eventID == l.last.EventID || l.last.EventID == ""
	}
	if at.Compare(l.last.At) > 0 {
		return false
	}
	if at.Compare(l.base.At) <= 0 {
		return true
	}
	for i := len(l.segments) - 1; i >= 0; i-- {
		s := l.segments[i]
		for j, e := range s.entries {
			if e.at == at && s.is(j, eventID) {
				return true
			}
		}
	}
	return false
}

func (l *Log) expect(at message.Position) {
	if at.Compare(l.want) > 0 {
		l.want = at
	}
}

func (l *Log) wake(wakers []Waker) {
	for _, w := range wakers {
		w.Wake(l)
	}
}

// add appends p after the last entry. change measures it and may be nil. The caller holds the lock.
func (l *Log) add(p message.Published, change *visible.Change) {
	l.came(p.Message.ID)
	r, err := rendered{}, p.Err
	if err == nil {
		r, err = render(p.Message, change)
	}
	if err != nil {
		if change != nil {
			change.Dropped()
		}
		l.resync(Unreadable)
		l.last = message.Tail{At: p.At, EventID: p.Message.ID} // "" if the id could not be parsed
		return
	}
	l.append(message.Tail{At: p.At, EventID: p.Message.ID}, r)
	l.track(change)
}

// resync tells every subscriber that messages are lost.
func (l *Log) resync(why Reason) {
	l.append(l.last, renderResync(l.idAt(l.next), why, l.snapshot))
}

// heat fills a new log from the stream. tail was read before the entries.
func (l *Log) heat(entries []message.Published, tail message.Tail) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.base, l.last = tail, tail
	if len(entries) > 0 {
		l.forget(entries[0])
		for _, p := range entries {
			if p.Prev != l.last.At {
				l.forget(p)
			}
			l.add(p, nil) // it happened before any client was connected
		}
	}
	// The tail names an event that is no longer in the stream: it was lost, or it has expired since.
	if tail.At.Compare(l.last.At) > 0 {
		l.clear()
		l.base, l.last = tail, tail
	}
	l.warm = true
	close(l.warmed)
}

// forget empties the log, because its entries are not connected to the next one. The caller holds the lock.
func (l *Log) forget(next message.Published) {
	l.clear()
	l.base = message.Tail{At: next.Prev, EventID: next.PrevID}
	l.last = l.base
}

// reading is the state of a log when a read of the stream for it began.
type reading struct {
	from  message.Position // the last position it had
	heard message.Position // the newest position that it knew of
}

func (l *Log) beginReading() reading {
	l.mu.Lock()
	defer l.mu.Unlock()
	return reading{from: l.last.At, heard: l.want}
}

// fill adds entries that were read from the stream. complete says that there were no more; tail was read before the
// entries. It returns the number of new entries, whether messages are lost, and whether the log now has all messages
// that it knows of.
func (l *Log) fill(r reading, entries []message.Published, tail message.Tail, complete bool) (added int, lost, caughtUp bool) {
	l.mu.Lock()
	for _, p := range entries {
		if p.At.Compare(l.last.At) <= 0 {
			continue // arrived on the channel meanwhile
		}
		if p.Prev != l.last.At {
			l.resync(StreamLost)
			lost = true
		}
		l.add(p, l.begin(p))
		added++
	}
	if complete && !lost {
		wentBack := tail.At.Compare(r.from) < 0 && l.last.At == r.from // a failover or a flush
		hollow := tail.At.Compare(l.last.At) > 0                       // the end is known, but its entries are missing
		gone := r.heard.Compare(l.last.At) > 0                         // a message was received, but its entry is missing
		if wentBack || hollow || gone {
			l.resync(StreamLost)
			lost = true
		}
		if wentBack || hollow {
			l.last = tail
		}
	}
	if complete && l.want == r.heard {
		l.want = message.Position{} // every known message is in the log, or was reported as lost
	}
	caughtUp = complete && l.want.Compare(l.last.At) <= 0
	wakers := l.wakers
	l.mu.Unlock()
	l.wake(wakers)
	return added, lost, caughtUp
}
