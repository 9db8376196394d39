// Package gather lets concurrent calls share one round trip, as a database's group commit does: while the permitted number
// of calls is under way, later ones wait, and go together when one of them ends. A call that finds room goes at once and
// alone, so that nothing waits for company, and batches grow with the load alone.
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

// ErrPanicked is the error of the calls whose batch ended in a panic of another goroutine.
var ErrPanicked = errors.New("the batch of this call panicked")

// New returns a group of calls of do, which returns a result for each item. Its context is that of one of the callers,
// without its end: do bounds its time itself.
func New[T, R any](limit Limit, do func(context.Context, []T) []R) *Group[T, R] {
	return &Group[T, R]{do: do, limit: limit}
}

// Do has item done, alone or in a batch, and returns its result. If ctx ends before, the error is that of ctx, and item is
// done or not.
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

// Waiting returns how many calls wait for a batch.
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

// enter returns true if c runs at once, and otherwise has it wait.
func (g *Group[T, R]) enter(c *call[T, R]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running < g.limit.Batches {
		g.running++ // no call waits: room that becomes free goes to those that do
		return true
	}
	g.waiting = append(g.waiting, c)
	return false
}

// leave takes back a call whose caller has gone.
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

// handOver gives the room of a batch that ended to the call that waits longest. The caller holds the lock.
func (g *Group[T, R]) handOver() {
	if len(g.waiting) == 0 {
		g.running--
		return
	}
	first := g.waiting[0]
	g.waiting = slices.Delete(g.waiting, 0, 1)
	close(first.leads)
}

// run does the batch of c and of those that wait.
func (g *Group[T, R]) run(ctx context.Context, c *call[T, R]) {
	g.mu.Lock()
	n := min(len(g.waiting), g.limit.Size-1)
	batch := append([]*call[T, R]{c}, g.waiting[:n]...)
	g.waiting = slices.Delete(g.waiting, 0, n)
	g.mu.Unlock()
	defer func() { // also when do panics
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
