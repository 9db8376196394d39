package eventstore

import (
	"context"
	"slices"
	"sync"
)

// crowds records which tenants' events have many recipients. Such an event costs as much as hundreds of others, so an instance
// applies it alone and one at a time, which leaves the other connections to the batches. Tenants take turns, so that a tenant with
// many events delays the event of another by one statement. Few events wait, so that most of an instance's requests are for
// other tenants. It is safe for concurrent use.
type crowds struct {
	mu      sync.Mutex
	tenants map[string]bool  // whether the last event had more than crowd recipients
	turns   map[string]*turn // of tenants with an event that waits or is under way
	one     chan struct{}    // has room while no crowd's statement is under way
	waiting int              // events of all tenants
}

// turn is a tenant's place among the waiting ones.
type turn struct {
	events  int             // that wait or are under way
	next    chan struct{}   // has room while none of them waits for the statement or has it
	waiting []chan struct{} // one for each event that waits, the newest last; closed if the event must be delivered again
}

// MaxWaiting bounds the events of crowds that wait for their turn on an instance. It is less than half of the events that Knative gives
// an instance at once (containerConcurrency).
const MaxWaiting = 9

// errCrowded is the refusal of an event that would wait. The broker sends it again.
var errCrowded error = &crowdedError{}

type crowdedError struct{}

func (*crowdedError) Error() string {
	return "other events of businesses with many recipients wait already: the event is delivered again"
}

// Limited tells the receiver that the refusal is about the tenant's share, and not a fault of the function.
func (*crowdedError) Limited() bool { return true }

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

// enter waits for the tenant's turn, which lasts until leave is called. The error is ctx's error, or errCrowded.
func (c *crowds) enter(ctx context.Context, tenantID string) (leave func(), err error) {
	c.mu.Lock()
	t := c.turns[tenantID]
	if t == nil {
		t = &turn{next: make(chan struct{}, 1)}
	}
	if c.waiting >= MaxWaiting && !c.makeRoom(len(t.waiting)) {
		c.mu.Unlock()
		return nil, errCrowded
	}
	c.turns[tenantID] = t
	t.events++
	given := make(chan struct{})
	t.waiting = append(t.waiting, given)
	c.waiting++
	c.mu.Unlock()
	// Wait first among the tenant's own events, then among tenants, so that each tenant has at most one event in the second queue.
	for i, room := range []chan struct{}{t.next, c.one} {
		select {
		case room <- struct{}{}:
			continue
		case <-given:
			err = errCrowded
		case <-ctx.Done():
			err = ctx.Err()
		}
		if i == 1 {
			<-t.next
		}
		c.forget(tenantID, t, given)
		return nil, err
	}
	c.mu.Lock()
	c.stopWaiting(t, given)
	c.mu.Unlock()
	return func() {
		<-c.one
		<-t.next
		c.forget(tenantID, t, given)
	}, nil
}

// makeRoom refuses the newest waiting event of the tenant with the most waiting events, if that tenant still has more than waiting
// events afterwards. So no tenant takes all places. The caller holds the lock.
func (c *crowds) makeRoom(waiting int) bool {
	var most *turn
	for _, t := range c.turns {
		if most == nil || len(t.waiting) > len(most.waiting) {
			most = t
		}
	}
	if len(most.waiting) <= waiting+1 {
		return false
	}
	newest := most.waiting[len(most.waiting)-1]
	c.stopWaiting(most, newest)
	close(newest)
	return true
}

// stopWaiting removes an event from the waiting ones if it is still one of them. The caller holds the lock.
func (c *crowds) stopWaiting(t *turn, event chan struct{}) {
	if i := slices.Index(t.waiting, event); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
		c.waiting--
	}
}

func (c *crowds) forget(tenantID string, t *turn, event chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopWaiting(t, event)
	if t.events--; t.events == 0 {
		delete(c.turns, tenantID)
	}
}
