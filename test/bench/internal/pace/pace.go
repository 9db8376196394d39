// Package pace publishes messages at a steady rate or as fast as they are taken.
package pace

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// Plan says what is published.
type Plan struct {
	Messages int           `json:"messages"`
	Every    time.Duration `json:"every"` // 0: as fast as they are taken
	Writers  int           `json:"writers"`
}

// Publish publishes message number n, which carries at as the time of its publication.
type Publish func(ctx context.Context, n int, at time.Time) error

// Run publishes and returns when it began. A message carries the time at which it was due, all those of a burst the same,
// so that a server which holds up its publisher does not look faster for it.
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
	return began, group.Wait() //nolint:wrapcheck // it is ours
}
