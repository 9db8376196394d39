package tenantlog

import (
	"slices"
	"time"

	"orderbell/internal/feed/message"
)

// Times and bounds of the wait for events that order-api has announced.
const (
	// lateAfter is less than the 5 s within which a client must be told that its feed is not guaranteed. It is longer than an
	// event takes through a running function and a relay that was not woken.
	lateAfter = 4 * time.Second
	// lookAgain is the interval between two searches for a late event.
	lookAgain = 10 * time.Second
	// givenUpAfter is the age from which a missing event no longer makes the feed late: it may be a dead letter, and clients have
	// loaded the snapshot since.
	givenUpAfter = 5 * time.Minute
	// mostExpected bounds the events that one log waits for. Events that are announced beyond it are ignored.
	mostExpected = 64
)

// expectation is an event that order-api has announced.
type expectation struct {
	eventID string
	at      time.Time // when it was announced
	looked  time.Time // when the stream was last asked for it
	late    bool      // the stream did not have it
}

// Expected records that orders have changed, and that the event of the last commit must arrive. If it does not, something between
// the outbox and Redis is down, which no probe of Redis shows.
func (l *Logs) Expected(tenantID string, commits []message.Commit) {
	log := l.find(tenantID)
	if log == nil || len(commits) == 0 {
		return
	}
	log.expectEvent(commits[len(commits)-1].EventID)
	l.showEarly(log, commits)
}

func (l *Log) expectEvent(eventID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.warm && l.last.EventID != eventID && len(l.expected) < mostExpected {
		l.expected = append(l.expected, expectation{eventID: eventID, at: time.Now()})
	}
}

// came records that an event has arrived. The caller holds the lock.
func (l *Log) came(eventID string) {
	if i := slices.IndexFunc(l.expected, func(e expectation) bool { return e.eventID == eventID }); i >= 0 {
		l.expected = slices.Delete(l.expected, i, i+1)
	}
	if i := slices.Index(l.early, eventID); i >= 0 {
		l.early = slices.Delete(l.early, i, i+1)
	}
}

// overdue returns the events to look for in the stream now.
func (l *Log) overdue(now time.Time) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expected = slices.DeleteFunc(l.expected, func(e expectation) bool { return now.Sub(e.at) > givenUpAfter })
	var ids []string
	for i := range l.expected {
		e := &l.expected[i]
		if now.Sub(e.at) >= lateAfter && now.Sub(e.looked) >= lookAgain {
			e.looked = now
			ids = append(ids, e.eventID)
		}
	}
	return ids
}

// lookFor looks for overdue events in the stream, in the background. An event is not late if it arrived before its announcement, or
// in a part of the stream that this log has lost.
func (l *Logs) lookFor(log *Log, eventIDs []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return
	}
	l.readers.Go(func() {
		select {
		case l.slots <- struct{}{}:
			defer func() { <-l.slots }()
		case <-l.ctx.Done():
			return
		}
		for _, id := range eventIDs {
			_, published, err := l.stream.Lookup(l.ctx, log.TenantID, id)
			if err != nil {
				continue // a Redis that does not answer has its own cause
			}
			log.looked(id, published)
		}
	})
}

func (l *Log) looked(eventID string, published bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if published {
		l.came(eventID)
		return
	}
	for i := range l.expected {
		if e := &l.expected[i]; e.eventID == eventID {
			e.late = true
		}
	}
}

// late returns since when an event is late, or the zero time. The caller holds the lock.
func (l *Log) late() time.Time {
	for _, e := range l.expected { // oldest first
		if e.late {
			return e.at
		}
	}
	return time.Time{}
}
