// Package relay takes events from the outbox to Kafka as CloudEvents, each order's in its order.
//
// It promises that every event of a committed order reaches the topic at least once, and that the first copies of an
// order's events lie there in the order of its versions. A crash between Kafka's acknowledgement and the mark in the
// outbox sends twice. An event that breaks the contract or that Kafka refuses goes to the topic of dead letters with the
// reason and is marked too: it never holds up the others.
package relay

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"go.opentelemetry.io/otel/metric"

	"orderbell/internal/backoff"
	"orderbell/internal/event"
)

// Config is how the relay works.
type Config struct {
	// Workers take batches side by side: while one waits for Kafka, another is with PostgreSQL. Each needs one of
	// DATABASE_MAX_CONNS.
	Workers int `envconfig:"RELAY_WORKERS" default:"2"`
	// BatchSize is the most events in one batch.
	BatchSize int `envconfig:"RELAY_BATCH_SIZE" default:"1000"`
	// IdleInterval is the pause between two looks into an empty outbox. A hint ends it early; it bounds the delay of an
	// event whose hint was lost.
	IdleInterval time.Duration `envconfig:"RELAY_IDLE_INTERVAL" default:"250ms"`
	// LagGroups are the consumer groups whose lag is exported, since Knative's broker does not.
	LagGroups []string `envconfig:"RELAY_LAG_GROUPS"`
}

// Topics are where events go.
type Topics struct{ Events, DeadLetters string }

// Outbox is where events come from.
type Outbox interface {
	// Take calls send with up to most unsent events, in order, of up to shards shards that no other relay holds,
	// preferring those from first on, and marks the positions that send returns. It returns how many send was given.
	Take(ctx context.Context, first, shards, most int, send func(context.Context, []event.Outgoing) []int64) (int, error)
	// Backlog returns how many events are unsent and how long the oldest has waited.
	Backlog(ctx context.Context) (int64, time.Duration, error)
}

// Bus is where events go.
type Bus interface {
	// Send returns one error per event, nil where Kafka has it, [event.ErrRefused] where it never will.
	Send(ctx context.Context, topic string, events []cloudevents.Event) []error
}

// Groups knows how far consumer groups are.
type Groups interface {
	// Lag returns the messages a group has not committed, by partition.
	Lag(ctx context.Context, group string) (map[int32]int64, error)
}

// Relay is made by [New].
type Relay struct {
	cfg     Config
	topics  Topics
	outbox  Outbox
	bus     Bus
	groups  Groups
	log     *slog.Logger
	metrics *metrics
	hints   chan struct{} // the outbox has new events
	wake    chan struct{} // the first worker has found more than it can take
	running sync.WaitGroup
}

// New returns a relay that does nothing until [Relay.Start].
func New(cfg Config, topics Topics, outbox Outbox, bus Bus, groups Groups, log *slog.Logger, meter metric.Meter) (*Relay, error) {
	switch {
	case cfg.Workers < 1 || cfg.Workers > shards:
		return nil, fmt.Errorf("RELAY_WORKERS is %d, want 1 to %d", cfg.Workers, shards)
	case cfg.BatchSize < 1 || cfg.BatchSize > maxBatch:
		return nil, fmt.Errorf("RELAY_BATCH_SIZE is %d, want 1 to %d", cfg.BatchSize, maxBatch)
	case cfg.IdleInterval < minPause:
		return nil, fmt.Errorf("RELAY_IDLE_INTERVAL is %s, want %s or more", cfg.IdleInterval, minPause)
	}
	r := &Relay{
		cfg: cfg, topics: topics, outbox: outbox, bus: bus, groups: groups, log: log,
		hints: make(chan struct{}, 1), wake: make(chan struct{}, cfg.Workers),
	}
	var err error
	if r.metrics, err = newMetrics(meter); err != nil {
		return nil, fmt.Errorf("set up relay metrics: %w", err)
	}
	return r, nil
}

const (
	shards   = event.OutboxShards
	maxBatch = 100_000 // a batch is in memory, and its shards are locked while it is sent

	minPause = 2 * time.Millisecond

	// sleeperPause is how often a worker that was not woken looks all the same. One worker's looks are enough for an
	// idle outbox; the others come when it has more than a batch.
	sleeperPause = time.Second

	minBackoff = 50 * time.Millisecond
	maxBackoff = 5 * time.Second

	// batchTimeout ends a batch that Kafka neither takes nor refuses. Its shards are free again then.
	batchTimeout = 30 * time.Second
)

// Start begins to work, until ctx ends.
func (r *Relay) Start(ctx context.Context) {
	for i := range r.cfg.Workers {
		r.running.Go(func() { r.work(ctx, i) })
	}
	r.running.Go(func() { r.watch(ctx) })
}

// Wait returns when, after the end of Start's context, the batches in hand are sent and marked, or when ctx ends; then
// what was in hand may be sent again.
func (r *Relay) Wait(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		r.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		r.log.WarnContext(ctx, "gave up a batch in hand; its events may be sent twice")
	}
}

// work takes batch after batch.
func (r *Relay) work(ctx context.Context, worker int) {
	first := worker * shards / r.cfg.Workers
	share := (shards + r.cfg.Workers - 1) / r.cfg.Workers
	again := backoff.New(minBackoff, maxBackoff)
	for ctx.Err() == nil {
		taken, err := r.batch(ctx, first, share)
		first = (first + share) % shards // so that no shard is always the last
		switch {
		case err != nil:
			pause := again.Next()
			r.log.WarnContext(ctx, "batch not relayed", "err", err, "again_in", pause)
			r.metrics.failures.Add(ctx, 1)
			backoff.Sleep(ctx, pause)
			continue
		case taken == 0 && worker > 0:
			r.rest(ctx, sleeperPause, r.wake)
		case taken == 0:
			r.rest(ctx, r.cfg.IdleInterval, r.hints)
		case worker == 0 && taken >= r.cfg.BatchSize/2:
			r.wakeOthers()
		}
		again.Reset()
	}
}

// Hint says that the outbox has new events. It does not block.
func (r *Relay) Hint() {
	select {
	case r.hints <- struct{}{}:
	default: // the worker has not looked since the last hint
	}
}

func (r *Relay) wakeOthers() {
	for range r.cfg.Workers - 1 {
		select {
		case r.wake <- struct{}{}:
		default:
			return
		}
	}
}

// rest waits for d, a wake-up or the end of ctx.
func (r *Relay) rest(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
}

// batch relays one batch. It returns an error too if some of its events did not get through.
func (r *Relay) batch(ctx context.Context, first, share int) (int, error) {
	// A batch that has begun is brought to its end, whatever happens to the program.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTimeout)
	defer cancel()
	var failed error
	taken, err := r.outbox.Take(ctx, first, share, r.cfg.BatchSize, func(ctx context.Context, events []event.Outgoing) []int64 {
		var sent []int64
		sent, failed = r.send(ctx, events)
		return sent
	})
	if err == nil {
		err = failed
	}
	return taken, err
}
