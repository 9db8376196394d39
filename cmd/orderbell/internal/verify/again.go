package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"orderbell/internal/backoff"
)

const (
	// pageSize is about 1 MB of rows.
	pageSize = 1000
	// keysAtOnce keeps one pipeline well below the seconds after which a call of Redis ends.
	keysAtOnce = 500
	// shrink divides the size of a page that was too slow for its store. smallest is the lower bound.
	shrink, smallest = 4, 15
	// tries is the number of attempts for one page. The first wait between attempts is at most firstPause, and each
	// later one doubles.
	tries      = 4
	firstPause = 250 * time.Millisecond
)

// again repeats a failed query a few times, so that a slow or restarting store delays a check but does not skip it.
// Each further attempt divides *size, for later pages too; size may be nil.
func (r *run) again(ctx context.Context, size *int, ask func() error) error {
	wait := backoff.New(firstPause, firstPause<<tries)
	for left := tries - 1; ; left-- {
		err := ask()
		if err == nil || left == 0 || !temporary(err) {
			return err
		}
		if size != nil {
			*size = max(*size/shrink, smallest)
		}
		if !wait.Wait(ctx) {
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary() || errors.Is(err, context.DeadlineExceeded)
}

// database is again for pages of rows. Its error names the store.
func (r *run) database(ctx context.Context, ask func(limit int) error) error {
	if err := r.again(ctx, &r.limit, func() error { return ask(r.limit) }); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

// redis is again for queries of Redis. Its error names the store.
func (r *run) redis(ctx context.Context, size *int, ask func() error) error {
	if err := r.again(ctx, size, ask); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}
