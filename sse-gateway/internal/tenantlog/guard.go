package tenantlog

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"orderbell/sse-gateway/internal/frame"
)

// Prober sends a message through the server of the streams and waits until it is received.
type Prober interface {
	Probe(ctx context.Context) error
}

// Cause is why a tenant's feed is not guaranteed.
type Cause string

// The causes of a degraded feed.
const (
	Unreachable  Cause = "unreachable"  // Redis does not answer, or accepts no messages
	Unsubscribed Cause = "unsubscribed" // the subscription to the tenant's channel is lost
	Unread       Cause = "unread"       // messages are missing, and the stream cannot be read
	Late         Cause = "late"         // an order has changed, and its event does not arrive
)

// Degraded says since when and why a tenant's feed is not guaranteed. The zero Degraded is a guaranteed feed.
type Degraded struct {
	Since time.Time
	Cause Cause
}

// Times for watching the feed. A client must be told within 5 s that its feed is not guaranteed. An interruption
// shorter than [grace] is not reported.
const (
	proveEvery   = time.Second
	proveTimeout = 3 * time.Second
	grace        = 3 * time.Second
	judgeEvery   = 250 * time.Millisecond
)

// proof has the results of the probes.
type proof struct {
	mu      sync.Mutex
	at      time.Time // start of the last successful probe
	failing bool      // the last probe failed
}

// degraded returns since when no probe has succeeded, or the zero Degraded.
func (p *proof) degraded(now time.Time) Degraded {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at.IsZero() || !p.failing && now.Sub(p.at) < grace {
		return Degraded{}
	}
	return Degraded{Since: p.at, Cause: Unreachable}
}

// Guard tells the clients of every log when the feed is not guaranteed, and when it is guaranteed again, until ctx
// ends.
func (l *Logs) Guard(ctx context.Context, p Prober) {
	l.proof.mu.Lock()
	l.proof.at = time.Now()
	l.proof.mu.Unlock()
	var probing sync.WaitGroup
	defer probing.Wait()
	probing.Go(func() { l.prove(ctx, p) })
	judge := time.NewTicker(judgeEvery)
	defer judge.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-judge.C:
			l.judge(time.Now())
		}
	}
}

func (l *Logs) prove(ctx context.Context, p Prober) {
	every := time.NewTicker(proveEvery)
	defer every.Stop()
	for {
		began := time.Now()
		trying, cancel := context.WithTimeout(ctx, proveTimeout)
		err := p.Probe(trying)
		cancel()
		if ctx.Err() != nil {
			return
		}
		l.proof.mu.Lock()
		changed := l.proof.failing != (err != nil)
		l.proof.failing = err != nil
		if err == nil {
			l.proof.at = began
		}
		l.proof.mu.Unlock()
		switch {
		case changed && err != nil:
			l.log.WarnContext(ctx, "the feed is not guaranteed: no message comes through Redis", "err", err)
		case changed:
			l.log.InfoContext(ctx, "messages come through Redis again")
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

func (l *Logs) judge(now time.Time) {
	everywhere := l.proof.degraded(now)
	for _, log := range l.all() {
		if ids := log.overdue(now); len(ids) > 0 {
			l.lookFor(log, ids)
		}
		if log.judge(now, everywhere, grace) {
			l.catchUp(log)
		}
	}
}

// Lost records that a tenant's subscription is lost.
func (l *Logs) Lost(tenantID string, since time.Time) {
	if log := l.find(tenantID); log != nil {
		log.mu.Lock()
		if log.lost.IsZero() {
			log.lost = since
		}
		log.mu.Unlock()
	}
}

// Degraded returns the number of logs whose clients were told that their feed is not guaranteed.
func (l *Logs) Degraded() int {
	n := 0
	for _, log := range l.all() {
		log.mu.Lock()
		if !log.told.Since.IsZero() {
			n++
		}
		log.mu.Unlock()
	}
	return n
}

// judge tells the clients that the feed is not guaranteed, once this has lasted for at least patience, or that it is
// guaranteed again. Before the latter, all missed messages must be read: judge returns true if that read must begin
// now.
func (l *Log) judge(now time.Time, everywhere Degraded, patience time.Duration) (read bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.warm {
		return false // no client watches yet
	}
	is := l.degraded(now, everywhere)
	switch {
	case !is.Since.IsZero():
		l.proving = false
		if l.told.Since.IsZero() && now.Sub(is.Since) >= patience {
			l.told = is
			l.append(l.last, chunk(is.frame(l.idAt(l.next)), true))
			l.wakeLocked()
		}
	case l.told.Since.IsZero():
	case !l.proving:
		l.proving = true
		return true
	case !l.catching:
		l.proving, l.told = false, Degraded{}
		l.append(l.last, chunk(live(l.idAt(l.next), now), true))
		l.wakeLocked()
	}
	return false
}

// degraded returns the oldest interruption. The caller holds the lock.
func (l *Log) degraded(now time.Time, everywhere Degraded) Degraded {
	is := everywhere
	older := func(since time.Time, cause Cause) {
		if !since.IsZero() && (is.Since.IsZero() || since.Before(is.Since)) {
			is = Degraded{since, cause}
		}
	}
	older(l.lost, Unsubscribed)
	older(l.late(), Late)
	if l.catching && now.Sub(l.missing) >= grace {
		older(l.missing, Unread)
	}
	return is
}

func (l *Log) wakeLocked() {
	for _, w := range l.wakers {
		w.Wake(l)
	}
}

// frame returns the degraded frame. id is the id of the last event before it.
func (d Degraded) frame(id string) frame.Event {
	return frame.Event{ID: id, Name: "degraded", Data: encode(map[string]string{
		"since": d.Since.UTC().Format(time.RFC3339), "reason": string(d.Cause),
	})}
}

// live returns the frame that says that the client has everything up to now.
func live(id string, now time.Time) frame.Event {
	return frame.Event{ID: id, Name: "live", Data: encode(map[string]string{"since": now.UTC().Format(time.RFC3339)})}
}

func encode(v map[string]string) []byte {
	data, _ := json.Marshal(v) // strings always encode
	return data
}
