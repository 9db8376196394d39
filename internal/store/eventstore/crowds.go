package eventstore

import (
	"context"
	"slices"
	"sync"
)

// crowds records which tenants' events have many recipients. Such an event costs as much as hundreds of others, so an instance
// applies it alone and one at a time, which leaves the other connections to the batches. Tenants take turns, so that a tenant with
// many events delays the event of another by one statement. It is safe for concurrent use.
type crowds struct {
	mu      sync.Mutex
	tenants map[string]bool  // whether the last event had more than crowd recipients
	turns   map[string]*turn // of tenants with an event that waits or is under way
	one     chan struct{}    // has room while no crowd's statement is under way
}

// turn is a tenant's place among the waiting ones.
type turn struct {
	events int           // that wait or are under way
	next   chan struct{} // has room while none of them waits for the statement or has it
}

const (
	crowd     = 64   // recipients: about 5 ms on the server
	mostKnown = 4096 // tenants
)

func newCrowds() *crowds {
	return &crowds{tenants: map[string]bool{}, turns: map[string]*turn{}, one: make(chan struct{}, 1)}
}

func (c *crowds) large(tenantID string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tenants[tenantID]
}

// joins reports whether a may share a statement with batch. Two events of a tenant may not while the size of its audience is unknown.
func (c *crowds) joins(a application, batch []application) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	large, known := c.tenants[a.Data.TenantID]
	return known && !large || !slices.ContainsFunc(batch, func(b application) bool { return b.Data.TenantID == a.Data.TenantID })
}

func (c *crowds) note(tenantID string, recipients int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tenants) >= mostKnown {
		clear(c.tenants) // the next event of each adds it again
	}
	c.tenants[tenantID] = recipients > crowd
}

// enter waits for the tenant's turn, which lasts until leave is called. The error is that of ctx.
func (c *crowds) enter(ctx context.Context, tenantID string) (leave func(), err error) {
	c.mu.Lock()
	t := c.turns[tenantID]
	if t == nil {
		t = &turn{next: make(chan struct{}, 1)}
		c.turns[tenantID] = t
	}
	t.events++
	c.mu.Unlock()
	forget := func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if t.events--; t.events == 0 {
			delete(c.turns, tenantID)
		}
	}
	// Wait first among the tenant's own events, then among tenants, so that each tenant has at most one event in the second queue.
	for i, room := range []chan struct{}{t.next, c.one} {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			if i == 1 {
				<-t.next
			}
			forget()
			return nil, ctx.Err() //nolint:wrapcheck // it is the caller's own
		}
	}
	return func() {
		<-c.one
		<-t.next
		forget()
	}, nil
}
