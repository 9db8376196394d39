// Package pace publishes messages at a steady rate or as fast as the server accepts them.
package pace

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// Plan says how many messages to publish, and how fast.
type Plan struct {
	Messages int           `json:"messages"`
	Every    time.Duration `json:"every"` // 0: as fast as the server accepts them
	Writers  int           `json:"writers"`
}

// Publish publishes message number n, which carries at as the time of its publication.
type Publish func(ctx context.Context, n int, at time.Time) error

// Run publishes the messages, and returns the time of the first. A message carries the time at which it was due, which is the same
// for all messages of a burst, so that a server that blocks its publisher does not appear faster.
func (p Plan) Run(ctx context.Context, publish Publish) (time.Time, error) {
	began := time.Now()
	numbers := make(chan int)
	group, ctx := errgroup.WithContext(ctx)
	for range max(1, p.Writers) {
		group.Go(func() error {
			for n := range numbers {
				if err := publish(ctx, n, began.Add(time.Duration(n)*p.Every)); err != nil {
					return fmt.Errorf("publish: %w", err)
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(numbers)
		for n := range p.Messages {
			if p.Every > 0 {
				select {
				case <-time.After(time.Until(began.Add(time.Duration(n) * p.Every))):
				case <-ctx.Done():
					return nil
				}
			}
			select {
			case numbers <- n:
			case <-ctx.Done():
				return nil
			}
		}
		return nil
	})
	return began, group.Wait() //nolint:wrapcheck // an error of this module
}
