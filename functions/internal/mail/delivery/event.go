package delivery

import (
	"context"
	"time"

	"orderbell/internal/mail"
)

// TryEvent tries the due mails of one event once, if a line is free, the tenant has not used its share of the lines, and the server
// has not just failed. It returns after TryLimit at the latest and then claims no more mails of the event; mails in flight
// continue. The line then sends due mails of all tenants round-robin, including those of events that found no line and of other
// processes. So a mail waits for one mail of each other tenant, and not for the sweeper, while any process takes events.
func (c *Courier) TryEvent(ctx context.Context, tenantID, source, eventID string) {
	if c.draining.Load() || !c.server.mayTry(time.Now()) {
		return
	}
	if !c.turns.enter(tenantID) {
		c.missed.Store(true)
		return
	}
	line, ok := c.post.TryLine()
	if !ok {
		c.turns.leave(tenantID)
		c.missed.Store(true)
		return
	}
	claim := func(ctx context.Context) (mail.Due, bool, error) {
		return c.store.ClaimOfEvent(ctx, source, eventID, c.terms())
	}
	began := time.Now()
	tried := make(chan struct{})
	c.goWith(ctx, line, func(ctx context.Context) {
		if c.ofEvent(ctx, line, tenantID, began, claim, tried) {
			c.inTurns(ctx, line)
		}
	}, c.lookAgain)
	limit := time.NewTimer(c.cfg.TryLimit)
	defer limit.Stop()
	select {
	case <-tried:
	case <-limit.C:
	case <-ctx.Done():
	}
}

// ofEvent sends mails of one event until TryLimit, and then closes tried. It returns false if the connection fails.
func (c *Courier) ofEvent(ctx context.Context, line mail.Line, tenantID string, began time.Time,
	claim func(context.Context) (mail.Due, bool, error), tried chan<- struct{},
) bool {
	defer close(tried)
	defer c.turns.leave(tenantID)
	if err := c.open(ctx, line); err != nil {
		return false
	}
	state := c.next(ctx, line, claim, nil) // at least one, however long the connection took
	for state == goOn && !c.draining.Load() && time.Since(began) < c.cfg.TryLimit {
		state = c.next(ctx, line, claim, nil)
	}
	return state != broken
}

// inTurns sends mails of all tenants until none is due, the server fails, or the process stops.
func (c *Courier) inTurns(ctx context.Context, line mail.Line) {
	for state := goOn; state == goOn && !c.draining.Load() && !c.server.down(); {
		state = c.turn(ctx, line, nil)
	}
}

// turn sends one mail of the next tenant.
func (c *Courier) turn(ctx context.Context, line mail.Line, tally *tallying) progress {
	tenant := ""
	defer func() {
		if tenant != "" {
			c.turns.leave(tenant)
		}
	}()
	return c.next(ctx, line, func(ctx context.Context) (due mail.Due, ok bool, err error) {
		due, tenant, err = c.turns.claim(ctx)
		return due, tenant != "", err
	}, tally)
}

// lookAgain is called when a line is free again, for events that arrived while all lines were in use.
func (c *Courier) lookAgain(ctx context.Context) {
	if !c.missed.Swap(false) || c.draining.Load() {
		return
	}
	if line, ok := c.post.TryLine(); ok { // otherwise all lines are in use, and each looks again when it is free
		c.goWith(ctx, line, func(ctx context.Context) { c.inTurns(ctx, line) }, c.lookAgain)
	} else {
		c.missed.Store(true)
	}
}
