package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/google/uuid"

	"orderbell/internal/event/cloudevent"
)

const (
	// sweepEvery is shorter than in a cluster, because a developer waits for deferred mails.
	sweepEvery = 10 * time.Second
	// sweepTimeout is longer than a sweep may take.
	sweepTimeout = time.Minute
	pingType     = "dev.knative.sources.ping"
)

// sweeper does a PingSource's job: it posts an event to delivery-sweeper at fixed times.
type sweeper struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func startSweeper(subscriber, secret string, log *slog.Logger) *sweeper {
	ctx, cancel := context.WithCancel(context.Background())
	s := &sweeper{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				if err := ping(ctx, subscriber, secret, now); err != nil && ctx.Err() == nil {
					log.WarnContext(ctx, "sweeper not reached", "err", err)
				}
			}
		}
	}()
	return s
}

func ping(ctx context.Context, subscriber, secret string, now time.Time) (err error) {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	e := cloudevent.Empty()
	e.SetID(uuid.NewString())
	e.SetSource("/orderbell/dev#sweep")
	e.SetType(pingType)
	e.SetTime(now)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, subscriber, nil)
	if err == nil {
		err = cehttp.WriteRequest(ctx, binding.ToMessage(&e), req)
	}
	if err != nil {
		return fmt.Errorf("write ping: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("post ping: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("post ping: %w", err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("post ping: %s", resp.Status)
	}
	return nil
}

func (s *sweeper) stop() {
	s.cancel()
	<-s.done
}
