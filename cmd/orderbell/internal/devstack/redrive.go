package devstack

import (
	"context"
	"log/slog"
	"time"

	"orderbell/cmd/orderbell/internal/auditstore"
	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/internal/backoff"
	"orderbell/internal/bus"
	"orderbell/internal/feed"
	"orderbell/internal/store/database"
	"orderbell/internal/store/eventstore"
)

const (
	// redriveEvery is more often than in a cluster: somebody waits at the screen.
	redriveEvery = 10 * time.Second
	// repairEvery is as often as in a cluster.
	repairEvery = time.Minute
	// redriveRate is the CronJob's, in letters a second.
	redriveRate = 100
)

// redriver does the job of the CronJob redrive: it sends dead letters of outages again, and repairs what the broker has dropped.
type redriver struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func startRedriver(ctx context.Context, cfg config, log *slog.Logger) (*redriver, error) {
	pool, err := database.Open(ctx, cfg.Database, "orderbell-redrive")
	if err != nil {
		return nil, err
	}
	reader, err := bus.NewReader(cfg.Bus)
	if err != nil {
		pool.Close()
		return nil, err
	}
	producer, err := bus.NewProducer(cfg.Bus)
	if err != nil {
		reader.Close()
		pool.Close()
		return nil, err
	}
	admin, err := bus.NewAdmin(cfg.Bus)
	if err != nil {
		producer.Close()
		reader.Close()
		pool.Close()
		return nil, err
	}
	published, err := feed.Open(cfg.Redis)
	if err != nil {
		admin.Close()
		producer.Close()
		reader.Close()
		pool.Close()
		return nil, err
	}
	office := &deadletter.Office{
		Topics: deadletter.Topics{Events: cfg.Bus.Topic, DeadLetters: cfg.Bus.DeadLetterTopic},
		Reader: reader, Bus: producer, Sources: eventstore.New(pool, ""), PerSecond: redriveRate,
	}
	repair := deadletter.Repair{
		Outbox: auditstore.New(pool), Groups: Groups(), Feed: published, Replay: cfg.Redis.ReplayTTL.Duration(), Settle: deadletter.Settle,
		Oldest: func(ctx context.Context, group string) (time.Time, error) {
			w, err := admin.Waiting(ctx, group)
			return w.Oldest, err
		},
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &redriver{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		defer pool.Close()
		defer reader.Close()
		defer producer.Close()
		defer admin.Close()
		defer published.Close() //nolint:errcheck // it was only read from
		redriveAlways(running, office, repair, log)
	}()
	return r, nil
}

// redriveAlways redrives and repairs until ctx ends.
func redriveAlways(ctx context.Context, office *deadletter.Office, repair deadletter.Repair, log *slog.Logger) {
	repaired := time.Now()
	for backoff.Sleep(ctx, redriveEvery) {
		result, err := office.Redrive(ctx, deadletter.Choice{Auto: true}, false)
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "dead letters not redriven", "err", err)
		}
		if n := len(result.Redriven); n > 0 {
			log.InfoContext(ctx, "dead letters redriven", "letters", n)
		}
		if time.Since(repaired) < repairEvery {
			continue
		}
		repaired = time.Now()
		dropped, err := office.Repair(ctx, repair, false)
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "dropped events not looked for", "err", err)
		}
		if n := len(dropped); n > 0 {
			log.WarnContext(ctx, "events that were dropped became dead letters", "events", n, "such_as", dropped[0].EventID)
		}
	}
}

func (r *redriver) stop() {
	r.cancel()
	<-r.done
}
