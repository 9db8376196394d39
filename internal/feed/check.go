package feed

import (
	"context"
	"maps"
	"slices"
	"time"
)

// A subscription that a demoted server keeps stays silent. So each one is sent a message by the way that orders take,
// every checkEvery; one that has not heard it after checkPatience is given up.
const (
	checkEvery    = 500 * time.Millisecond
	checkPatience = time.Second
)

// checkAll sends each link a message, again and again, and closes those that it does not reach.
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
		return // no server takes writes: that says nothing of the subscription
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

// came notes that the link heard its check.
func (l *link) came() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checked = time.Time{}
}
