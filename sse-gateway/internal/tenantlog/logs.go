package tenantlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"orderbell/internal/duration"
	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/budget"
	"orderbell/sse-gateway/internal/visible"
)

// Config bounds the logs.
type Config struct {
	MaxBytes     int              `envconfig:"SSE_LOG_MAX_BYTES" default:"4194304"` // of one tenant
	MaxEvents    int              `envconfig:"SSE_LOG_MAX_EVENTS" default:"8192"`   // of one tenant
	Linger       duration.Seconds `envconfig:"SSE_LOG_LINGER_SECONDS" default:"60"` // after the last subscriber left
	CompareEvery duration.Seconds `envconfig:"SSE_COMPARE_SECONDS" default:"10"`    // the last message can be lost too
	SnapshotURL  string           `envconfig:"SSE_SNAPSHOT_URL" default:"/api/orders/snapshot"`

	Memory budget.Config // of all tenants
}

// Stream is the source of the logs.
type Stream interface {
	Follow(tenantID string)
	Unfollow(tenantID string)
	Recent(ctx context.Context, tenantID string, limit int) ([]message.Published, message.Tail, error)
	Read(ctx context.Context, tenantID string, after message.Position, limit int) ([]message.Published, message.Tail, error)
	Tails(ctx context.Context, tenantIDs []string) ([]message.Tail, error)
	Lookup(ctx context.Context, tenantID, eventID string) (message.Position, bool, error)
}

// Logs holds the logs of the tenants that have subscribers here. It is the sink of the stream's messages.
type Logs struct {
	cfg    Config
	stream Stream
	log    *slog.Logger

	Counts   Counts
	Budget   *budget.Budget // for logs, streams and slow readers together
	Relieved Relieved
	Visible  *visible.Recorder // measures changes; nil: they are not measured. Set it before Run
	total    *ledger

	ctx     context.Context //nolint:containedctx // the context of the readers, which must not end with a caller's
	cancel  context.CancelFunc
	readers sync.WaitGroup
	slots   chan struct{} // bounds the reads under way
	lookups singleflight.Group
	proof   proof

	mu     sync.Mutex
	logs   map[string]*Log
	leaves uint64 // number of times that a last watcher has left
}

// maxReads bounds the concurrent reads of streams: after a lost connection every log reads.
const maxReads = 16

// pageSize is the number of entries per read: about 300 kB, a few milliseconds of the server.
const pageSize = 512

// New returns an empty set of logs. The caller must call Run.
func New(cfg Config, stream Stream, log *slog.Logger) (*Logs, error) {
	switch {
	case cfg.MaxBytes < 16<<10:
		return nil, fmt.Errorf("SSE_LOG_MAX_BYTES is %d, want 16384 or more", cfg.MaxBytes)
	case cfg.MaxEvents < 8:
		return nil, fmt.Errorf("SSE_LOG_MAX_EVENTS is %d, want 8 or more", cfg.MaxEvents)
	case cfg.CompareEvery.Duration() < time.Second:
		return nil, errors.New("SSE_COMPARE_SECONDS is 0, want 1 or more")
	}
	memory, err := budget.New(cfg.Memory)
	if err != nil {
		return nil, err //nolint:wrapcheck // the error names the variable
	}
	l := &Logs{cfg: cfg, stream: stream, log: log, Budget: memory, slots: make(chan struct{}, maxReads), logs: map[string]*Log{}}
	l.total = &ledger{budget: memory, pressed: make(chan struct{}, 1)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l, nil
}

// Acquire returns a tenant's log once it is filled from the stream, or an error if ctx ends before. maxBytes bounds the
// log; 0 stands for the configuration's value. The caller must call Release.
func (l *Logs) Acquire(ctx context.Context, tenantID string, maxBytes int) (*Log, error) {
	maxBytes = cmp.Or(maxBytes, l.cfg.MaxBytes)
	l.mu.Lock()
	log, ok := l.logs[tenantID]
	if !ok {
		log = newLog(tenantID, l.cfg.SnapshotURL, limits{bytes: maxBytes, events: l.cfg.MaxEvents}, l.total)
		log.measure = l.Visible
		l.logs[tenantID] = log
	}
	log.watchers++
	log.idle = 0
	l.mu.Unlock()
	if ok {
		log.bound(maxBytes)
	} else {
		l.stream.Follow(tenantID) // its confirmation fills the log
	}
	select {
	case <-log.warmed:
		return log, nil
	case <-ctx.Done():
		l.Release(log)
		return nil, fmt.Errorf("read tenant's stream: %w", ctx.Err())
	}
}

// Release ends an Acquire. A log without watchers is kept for a while, because clients reconnect.
func (l *Logs) Release(log *Log) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if log.watchers--; log.watchers == 0 {
		l.leaves++
		log.left = l.leaves
	}
}

// Len returns the number of logs.
func (l *Logs) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.logs)
}

func (l *Logs) find(tenantID string) *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.logs[tenantID]
}

func (l *Logs) all() []*Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*Log, 0, len(l.logs))
	for _, log := range l.logs {
		all = append(all, log)
	}
	return all
}

// Published implements [feed.Sink].
func (l *Logs) Published(tenantID string, p message.Published) {
	log := l.find(tenantID)
	if log == nil {
		return
	}
	if log.Apply(p) == Gap {
		l.catchUp(log)
	}
}

// Confirmed implements [feed.Sink].
func (l *Logs) Confirmed(tenantID string) {
	if log := l.find(tenantID); log != nil {
		log.mu.Lock()
		log.lost = time.Time{}
		log.mu.Unlock()
		l.catchUp(log)
	}
}

// Run compares the logs with the streams' tails and removes idle logs, until ctx ends.
func (l *Logs) Run(ctx context.Context) {
	defer l.stop()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	compare := time.NewTicker(l.cfg.CompareEvery.Duration())
	defer compare.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			l.sweep()
			l.relieve() // streams and slow readers count too
		case <-l.total.pressed:
			l.relieve()
		case <-compare.C:
			l.compare(ctx)
		}
	}
}

// stop ends the readers and waits for them. The cancellation under the lock ensures that no reader starts during the wait.
func (l *Logs) stop() {
	l.mu.Lock()
	l.cancel()
	l.mu.Unlock()
	l.readers.Wait()
}

// sweepEvery is how exact the linger is.
const sweepEvery = time.Second

func (l *Logs) sweep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, log := range l.logs {
		if log.watchers > 0 {
			continue
		}
		if log.idle++; log.idle > int(l.cfg.Linger.Duration()/sweepEvery) {
			l.letGo(log)
		}
	}
}

// letGo removes a log without watchers and returns its bytes. The caller holds the lock.
func (l *Logs) letGo(log *Log) int64 {
	delete(l.logs, log.TenantID)
	l.stream.Unfollow(log.TenantID) // does not block; under the lock, so that it cannot overtake a new Follow
	return log.leave()
}

// compareBatch is the number of tails per round trip.
const compareBatch = 500

func (l *Logs) compare(ctx context.Context) {
	all := l.all()
	for len(all) > 0 {
		some := all[:min(compareBatch, len(all))]
		all = all[len(some):]
		tenants := make([]string, len(some))
		before := make([]message.Tail, len(some))
		for i, log := range some {
			tenants[i], before[i] = log.TenantID, log.ended()
		}
		tails, err := l.stream.Tails(ctx, tenants)
		if err != nil {
			if ctx.Err() == nil {
				l.log.WarnContext(ctx, "streams not compared", "tenants", len(all)+len(some), "err", err)
			}
			return
		}
		for i, log := range some {
			missing := !log.Reached(tails[i].At)
			wentBack := tails[i].At.Compare(before[i].At) < 0
			if missing || wentBack {
				l.catchUp(log)
			}
		}
	}
}
