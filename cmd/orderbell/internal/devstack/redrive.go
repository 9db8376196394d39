package devstack

import (
	"context"
	"log/slog"
	"time"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/internal/backoff"
	"orderbell/internal/bus"
	"orderbell/internal/store/database"
	"orderbell/internal/store/eventstore"
)

const (
	// redriveEvery is more often than in a cluster: somebody waits at the screen.
	redriveEvery = 10 * time.Second
	// redriveRate is the CronJob's, in letters a second.
	redriveRate = 100
)

// redriver does the job of the CronJob redrive: it sends dead letters of outages again.
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
	office := &deadletter.Office{
		Topics: deadletter.Topics{Events: cfg.Bus.Topic, DeadLetters: cfg.Bus.DeadLetterTopic},
		Reader: reader, Bus: producer, Sources: eventstore.New(pool, ""), PerSecond: redriveRate,
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &redriver{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		defer pool.Close()
		defer reader.Close()
		defer producer.Close()
		for backoff.Sleep(running, redriveEvery) {
			result, err := office.Redrive(running, deadletter.Choice{Auto: true}, false)
			if err != nil && running.Err() == nil {
				log.WarnContext(running, "dead letters not redriven", "err", err)
			}
			if n := len(result.Redriven); n > 0 {
				log.InfoContext(running, "dead letters redriven", "letters", n)
			}
		}
	}()
	return r, nil
}

func (r *redriver) stop() {
	r.cancel()
	<-r.done
}
