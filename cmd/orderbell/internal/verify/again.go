package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"orderbell/internal/backoff"
)

const (
	// pageSize is some 1 MB of rows.
	pageSize = 1000
	// keysAtOnce keeps one pipeline well below the seconds after which a call of Redis ends.
	keysAtOnce = 500
	// shrink is what a page is divided by when its store was too slow for it; smallest is where that ends.
	shrink, smallest = 4, 15
	// tries is how often one page is asked for. The first wait between two tries is at most firstPause; each later one doubles.
	tries      = 4
	firstPause = 250 * time.Millisecond
)

// again asks until it is answered, a few times: a store that is slow or just comes back costs time and no check. Each
// further try divides *size, which may be nil, and leaves it so for the pages that follow.
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

// redis is again for what Redis is asked. Its error names the store.
func (r *run) redis(ctx context.Context, size *int, ask func() error) error {
	if err := r.again(ctx, size, ask); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}
