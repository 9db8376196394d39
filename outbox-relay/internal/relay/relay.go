// Package relay sends events from the outbox to Kafka as CloudEvents, in order for each order.
//
// Every event of a committed order reaches the topic at least once, and the first copies of an order's events are in
// the order of its versions. A crash between Kafka's acknowledgement and the mark in the outbox sends an event twice.
// An event that violates the contract, or that Kafka refuses, is written to the topic of dead letters with the reason
// and is marked too, so it does not block the others.
package relay

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"

	"orderbell/internal/backoff"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
)

// Config configures the relay.
type Config struct {
	// Workers take batches concurrently: while one waits for Kafka, another uses PostgreSQL. Each needs one of
	// DATABASE_MAX_CONNS.
	Workers int `envconfig:"RELAY_WORKERS" default:"2"`
	// BatchSize is the most events in one batch.
	BatchSize int `envconfig:"RELAY_BATCH_SIZE" default:"1000"`
	// IdleInterval is the pause between two reads of an empty outbox. A hint ends it early. It bounds the delay of an
	// event whose hint was lost.
	IdleInterval time.Duration `envconfig:"RELAY_IDLE_INTERVAL" default:"250ms"`
	// LagGroups are the consumer groups whose lag is exported, because Knative's broker does not export it.
	LagGroups []string `envconfig:"RELAY_LAG_GROUPS"`
}

// Topics are the names of the topics.
type Topics struct{ Events, DeadLetters string }

// Outbox is the source of events.
type Outbox interface {
	// Take locks up to shards shards that no other relay holds, beginning with first, and calls send with at most most of their
	// unsent events, in order. It marks the positions that send returns, and returns the number of events that it passed to send.
	Take(ctx context.Context, first, shards, most int, send func(context.Context, []event.Outgoing) []int64) (int, error)
	// Backlog returns how many events are unsent and how long the oldest has waited.
	Backlog(ctx context.Context) (int64, time.Duration, error)
}

// Bus is the destination of events.
type Bus interface {
	// Send returns one error per event: nil if Kafka has it, [record.ErrRefused] if Kafka never accepts it.
	Send(ctx context.Context, topic string, events []cloudevent.Event) []error
}

// Groups reads the lag of consumer groups.
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
	wake    chan struct{} // the first worker has found more than a batch
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
	maxBatch = 100_000 // a batch is in memory, and its shards stay locked while it is sent

	minPause = 2 * time.Millisecond

	// sleeperPause is how often a worker reads the outbox without being woken. For an idle outbox one worker is enough;
	// the others are woken when there is more than a batch.
	sleeperPause = time.Second

	minBackoff = 50 * time.Millisecond
	maxBackoff = 5 * time.Second

	// batchTimeout ends a batch that Kafka neither accepts nor refuses, and so releases its shards.
	batchTimeout = 30 * time.Second
)

// Start starts the workers. They run until ctx ends.
func (r *Relay) Start(ctx context.Context) {
	for i := range r.cfg.Workers {
		r.running.Go(func() { r.work(ctx, i) })
	}
	r.running.Go(func() { r.watch(ctx) })
}

// Wait returns when the batches under way are sent and marked, after the end of Start's context. If ctx ends first,
// these batches may be sent again.
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

// Hint announces new events in the outbox. It does not block.
func (r *Relay) Hint() {
	select {
	case r.hints <- struct{}{}:
	default: // the worker has not read since the last hint
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

// batch relays one batch. It also returns an error if some of its events were not sent.
func (r *Relay) batch(ctx context.Context, first, share int) (int, error) {
	// The end of the program's context does not cancel a batch.
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
