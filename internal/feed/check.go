package feed

import (
	"context"
	"maps"
	"slices"
	"time"
)

// A demoted server keeps its subscriptions, but they stay silent. So every checkEvery each connection is sent a message
// on the path of orders. A connection that has not received it after checkPatience is closed.
const (
	checkEvery    = 500 * time.Millisecond
	checkPatience = time.Second
)

// checkAll periodically sends each link a message, and closes the links that do not receive it.
func (f *Feed) checkAll(ctx context.Context) {
	every := time.NewTicker(checkEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		r := &f.run
		r.mu.Lock()
		links := slices.Collect(maps.Values(r.links))
		r.mu.Unlock()
		for _, l := range links {
			f.checkLink(ctx, l)
		}
	}
}

func (f *Feed) checkLink(ctx context.Context, l *link) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	before := time.Now()
	if f.echo.Run(ctx, f.client, []string{l.check}, "check", f.cfg.Sharded).Err() != nil {
		return // no server accepts writes, so the subscription is not judged
	}
	l.mu.Lock()
	waits := l.checked
	if l.checkable && waits.IsZero() && l.heard.Before(before) {
		l.checked = before
	}
	l.mu.Unlock()
	if !waits.IsZero() && time.Since(waits) > checkPatience {
		_ = l.pubsub.Close() // the reader ends and sends its tenants to a new link
	}
}

// came records that the link received its check.
func (l *link) came() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checked = time.Time{}
}
