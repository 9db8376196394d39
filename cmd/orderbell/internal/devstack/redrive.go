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
)

const (
	// redriveEvery is shorter than in a cluster, because a developer waits for the result.
	redriveEvery = 10 * time.Second
	// repairEvery is the interval of the CronJob.
	repairEvery = time.Minute
	// redriveRate is the rate of the CronJob, in dead letters a second.
	redriveRate = 100
)

// redriver does the job of the CronJob redrive: it sends dead letters of outages again, and repairs what the broker has dropped.
type redriver struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func startRedriver(ctx context.Context, cfg config, log *slog.Logger) (_ *redriver, err error) {
	var ends ends
	defer func() {
		if err != nil {
			ends.run()
		}
	}()
	pool, err := database.Open(ctx, cfg.Database, "orderbell-redrive")
	if err != nil {
		return nil, err
	}
	ends.add(pool.Close)
	office, err := ends.office(cfg.Bus, pool)
	if err != nil {
		return nil, err
	}
	admin, err := bus.NewAdmin(cfg.Bus)
	if err != nil {
		return nil, err
	}
	ends.add(admin.Close)
	published, err := feed.Open(cfg.Redis)
	if err != nil {
		return nil, err
	}
	ends.add(func() { _ = published.Close() }) // it was only read from
	repair := deadletter.Repair{
		Outbox: auditstore.New(pool), Groups: Groups(), Feed: published, Replay: cfg.Redis.ReplayTTL.Duration(), Settle: deadletter.Settle,
		Oldest: admin.Oldest,
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &redriver{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		defer ends.run()
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
