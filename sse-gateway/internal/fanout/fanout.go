// Package fanout writes tenants' logs to many connections with few goroutines.
//
// On Linux a connection is taken over from net/http after its headers: one worker per core writes to its sockets
// without blocking, epoll reports when a full socket has room again and when a client has left, and one timer wheel
// sends all heartbeats. An idle connection only costs its cursor. Replay and live are one loop: write from the cursor
// to the log's end; so a slow client gets several frames in one write. Other connections (HTTP/2, TLS, other systems)
// are served by one goroutine each, with the same rules.
//
// Order: a subscriber gets a log's frames in order, each once. Loss: a subscriber that falls off the log's tail, or
// does not read for SSE_WRITE_TIMEOUT_SECONDS, is closed and reconnects with its Last-Event-ID.
package fanout

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"orderbell/internal/auth"
	"orderbell/internal/duration"
	"orderbell/sse-gateway/internal/budget"
	"orderbell/sse-gateway/internal/frame"
	"orderbell/sse-gateway/internal/tenantlog"
)

// Config has the intervals and limits of connections.
type Config struct {
	Heartbeat    duration.Seconds `envconfig:"SSE_HEARTBEAT_SECONDS" default:"25"` // below the idle timeout of proxies, 30 s
	Drain        duration.Seconds `envconfig:"SSE_DRAIN_SECONDS" default:"15"`     // within SHUTDOWN_TIMEOUT
	WriteTimeout duration.Seconds `envconfig:"SSE_WRITE_TIMEOUT_SECONDS" default:"30"`
	TokenNotice  duration.Seconds `envconfig:"SSE_TOKEN_NOTICE_SECONDS" default:"30"`         // before a token expires
	MaxAge       duration.Seconds `envconfig:"SSE_MAX_CONNECTION_AGE_SECONDS" default:"3600"` // ± a tenth; 0: no end
}

// ShortestHeartbeat is the shortest interval that a client can request. A client that misses two and a half of them
// notices a hung gateway or a dead network within five seconds.
const ShortestHeartbeat = 2 * time.Second

// Beat returns the heartbeat for the interval that a client requests; 0: it requests none.
func (c Config) Beat(asked time.Duration) time.Duration {
	usual := c.Heartbeat.Duration()
	if asked == 0 {
		return usual
	}
	return min(usual, max(asked, ShortestHeartbeat))
}

// Reason is why a subscriber's connection ended.
type Reason int

// The reasons of an end.
const (
	Gone    Reason = iota // the client left, or its network did
	Slow                  // it fell off the log's tail
	Stalled               // it did not read for too long
	Expired               // its token expired
	Aged                  // closed at its maximum age, to spread the load
	Drained               // this instance is stopping
	Revoked               // its token was revoked
	reasons
)

// String returns the label value of the reason.
func (r Reason) String() string {
	return [...]string{"gone", "slow", "stalled", "expired", "aged", "drained", "revoked"}[r]
}

// comesBack reports whether the client is told when to reconnect.
func (r Reason) comesBack() bool {
	return r == Expired || r == Aged || r == Drained || r == Revoked
}

// Reasons returns every reason.
func Reasons() []Reason { return []Reason{Gone, Slow, Stalled, Expired, Aged, Drained, Revoked} }

// Subscriber is one watcher of a tenant's log.
type Subscriber struct {
	Log    *tenantlog.Log
	Who    auth.Principal
	Cursor uint64
	Head   []byte // frames to be written before the log's

	Heartbeat time.Duration // requested by the client, see [Config.Beat]
}

// Owner of a pool. Its methods must not block.
type Owner interface {
	// Left is called once for every subscriber that has ended.
	Left(log *tenantlog.Log, userID string, why Reason)
	// Revoked returns the revocation that covers a token, if there is one. It is called when a subscriber is in the
	// pool, so that none is missed between the check at admission and [Pool.Revoke].
	Revoked(p auth.Principal) (auth.Revocation, bool)
}

// Counts are the counters of a pool.
type Counts struct {
	Connections atomic.Int64          // now
	Deliveries  atomic.Int64          // order and resync frames handed to the kernel
	Stalls      atomic.Int64          // writes that found a socket full
	Ends        [reasons]atomic.Int64 // by Reason
}

// Pool writes to its subscribers.
type Pool struct {
	cfg    Config
	owner  Owner
	memory *budget.Budget
	Counts Counts

	workers []*worker
	next    atomic.Uint32 // the worker of the next connection, in turn
	running sync.WaitGroup
	served  sync.WaitGroup // the subscribers of Serve

	drain     chan struct{} // closed: leave within the drain window
	drainOnce sync.Once
	stop      chan struct{} // closed: leave now
	stopOnce  sync.Once

	mu      sync.Mutex
	serving map[*served]struct{} // the writers of Serve
}

// New returns a running pool, which counts the memory of its streams. The caller must close it.
func New(cfg Config, owner Owner, memory *budget.Budget) (*Pool, error) {
	if cfg.Heartbeat.Duration() < time.Second {
		return nil, fmt.Errorf("SSE_HEARTBEAT_SECONDS is %s, want 1 or more", cfg.Heartbeat.Duration())
	}
	if cfg.WriteTimeout.Duration() < time.Second {
		return nil, fmt.Errorf("SSE_WRITE_TIMEOUT_SECONDS is %s, want 1 or more", cfg.WriteTimeout.Duration())
	}
	p := &Pool{
		cfg: cfg, owner: owner, memory: memory, drain: make(chan struct{}), stop: make(chan struct{}), serving: map[*served]struct{}{},
	}
	if err := p.start(); err != nil {
		return nil, err
	}
	return p, nil
}

// Drain closes all subscribers, spread over the drain window, and returns when they are gone or ctx ends.
func (p *Pool) Drain(ctx context.Context) {
	p.drainOnce.Do(func() { close(p.drain) })
	check := time.NewTicker(drainCheck)
	defer check.Stop()
	for p.Counts.Connections.Load() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-check.C:
		}
	}
}

// drainCheck is how soon the end of a drain is noticed.
const drainCheck = 10 * time.Millisecond

// Revoke ends the streams whose tokens r covers.
func (p *Pool) Revoke(r auth.Revocation) {
	p.revoke(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	for v := range p.serving {
		if r.Covers(v.sub.Who) {
			v.end()
		}
	}
}

// recheck ends a subscriber's stream if its token was revoked during its admission.
func (p *Pool) recheck(who auth.Principal) {
	if r, ok := p.owner.Revoked(who); ok {
		p.Revoke(r)
	}
}

// Close ends the remaining streams and the pool.
func (p *Pool) Close() {
	p.stopOnce.Do(func() { close(p.stop) })
	p.served.Wait()
	p.running.Wait()
}

func (p *Pool) joined() { p.Counts.Connections.Add(1) }

func (p *Pool) left(log *tenantlog.Log, userID string, why Reason) {
	p.Counts.Ends[why].Add(1)
	p.owner.Left(log, userID, why)
	p.Counts.Connections.Add(-1)
}

// ends returns when and why a subscriber's connection ends.
func (p *Pool) ends(s Subscriber, now time.Time) (time.Time, Reason) {
	age := p.cfg.MaxAge.Duration()
	if age > 0 {
		age += time.Duration((rand.Float64() - 0.5) / 5 * float64(age))
		if end := now.Add(age); s.Who.Expires.IsZero() || end.Before(s.Who.Expires) {
			return end, Aged
		}
	}
	if s.Who.Expires.IsZero() {
		return now.AddDate(100, 0, 0), Aged // never
	}
	return s.Who.Expires, Expired
}

// expiring is the frame that announces the end of a token.
func expiring(log *tenantlog.Log, cursor uint64, at time.Time) []byte {
	data, _ := json.Marshal(map[string]string{"expires_at": at.UTC().Format(time.RFC3339)}) // strings always encode
	return frame.Append(nil, frame.Event{ID: log.IDAt(cursor), Name: "token_expiring", Data: data})
}

// Retry returns a random reconnection time, so that clients do not all reconnect at once.
func Retry(least, most time.Duration) time.Duration {
	return least + rand.N(most-least)
}

// Reconnection time after the gateway closed a stream. Another instance is ready.
const (
	retryMin = time.Second
	retryMax = 4 * time.Second
)

// goodbye returns the last frame before a close.
func goodbye() []byte {
	return frame.Append(nil, frame.Event{Retry: Retry(retryMin, retryMax)})
}

// batchBytes is the approximate size of one write: large enough to make the cost of the system call small, and small
// enough to stay in the CPU cache for the next subscriber.
const batchBytes = 64 << 10
