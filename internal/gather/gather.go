// Package gather lets concurrent calls share one round trip, like a database's group commit: while the permitted number
// of batches is under way, later calls wait, and form the next batch when one of them ends. A call that finds room runs
// at once, so no call waits for others, and batches only grow with the load.
package gather

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// Group gathers calls. It is safe for concurrent use.
type Group[T, R any] struct {
	do    func(context.Context, []T) []R
	limit Limit

	mu      sync.Mutex
	running int // calls of do
	waiting []*call[T, R]
}

// Limit bounds a group.
type Limit struct {
	Batches int // under way at once
	Size    int // items of a batch
}

type call[T, R any] struct {
	item   T
	leads  chan struct{} // closed: this call's goroutine runs the next batch
	done   chan struct{} // closed: result is there, or failed
	result R
	ok     bool
}

// ErrPanicked is the error of calls whose batch panicked in another goroutine.
var ErrPanicked = errors.New("the batch of this call panicked")

// New returns a group of calls of do, which returns a result for each item. The context of do has the values of one
// caller's context but not its end: do must bound its time itself.
func New[T, R any](limit Limit, do func(context.Context, []T) []R) *Group[T, R] {
	return &Group[T, R]{do: do, limit: limit}
}

// Do runs item, alone or in a batch, and returns its result. If ctx ends before, it returns the error of ctx, and the
// item may still be done.
func (g *Group[T, R]) Do(ctx context.Context, item T) (R, error) {
	c := &call[T, R]{item: item, leads: make(chan struct{}), done: make(chan struct{})}
	if !g.enter(c) {
		select {
		case <-c.leads:
		case <-c.done:
			return c.outcome()
		case <-ctx.Done():
			g.leave(c)
			var none R
			return none, ctx.Err() //nolint:wrapcheck // it is the caller's own
		}
	}
	g.run(context.WithoutCancel(ctx), c)
	return c.outcome()
}

// Waiting returns the number of calls that wait for a batch.
func (g *Group[T, R]) Waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting)
}

func (c *call[T, R]) outcome() (R, error) {
	if !c.ok {
		return c.result, ErrPanicked
	}
	return c.result, nil
}

// enter returns true if c runs at once. Otherwise c waits.
func (g *Group[T, R]) enter(c *call[T, R]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running < g.limit.Batches {
		g.running++ // no call waits; otherwise the free room belongs to those
		return true
	}
	g.waiting = append(g.waiting, c)
	return false
}

// leave removes a call whose caller has given up.
func (g *Group[T, R]) leave(c *call[T, R]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, c); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	select {
	case <-c.leads:
		g.handOver() // it was to run the next batch
	default:
	}
}

// handOver gives the room of an ended batch to the call that has waited longest. The caller holds the lock.
func (g *Group[T, R]) handOver() {
	if len(g.waiting) == 0 {
		g.running--
		return
	}
	first := g.waiting[0]
	g.waiting = slices.Delete(g.waiting, 0, 1)
	close(first.leads)
}

// run executes the batch of c and of waiting calls.
func (g *Group[T, R]) run(ctx context.Context, c *call[T, R]) {
	g.mu.Lock()
	n := min(len(g.waiting), g.limit.Size-1)
	batch := append([]*call[T, R]{c}, g.waiting[:n]...)
	g.waiting = slices.Delete(g.waiting, 0, n)
	g.mu.Unlock()
	defer func() { // runs even if do panics
		for _, c := range batch {
			close(c.done)
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.handOver()
	}()
	items := make([]T, len(batch))
	for i, c := range batch {
		items[i] = c.item
	}
	for i, result := range g.do(ctx, items) {
		batch[i].result, batch[i].ok = result, true
	}
}
