package load

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"orderbell/cmd/orderbell/internal/watch"
	"orderbell/internal/event"
)

// client is one stream. Only its own goroutine uses it until it ends; ready is closed once.
type client struct {
	run   *run
	ready chan struct{}

	connected, resynced bool
	seen                []uint64 // a bit for each counted event
	got                 int
	final               error
}

// follow watches a stream until ctx ends. It takes a place of gate while it connects.
func (c *client) follow(ctx context.Context, o watch.Options, connected func(int64)) {
	select {
	case c.run.gate <- struct{}{}:
	case <-ctx.Done():
		return
	}
	in := sync.OnceFunc(func() { <-c.run.gate })
	defer in()
	o.Transport = c.run.transport
	o.Cut = func(error, time.Duration) {
		if c.connected {
			c.run.cuts.Add(1)
		}
	}
	c.final = watch.Follow(ctx, o, func(f watch.Frame) {
		switch f.Event {
		case "ready":
			if !c.connected {
				c.connected = true
				in()
				c.run.connected.Add(1)
				connected(1)
				close(c.ready)
			}
		case "overloaded":
			c.run.overloaded.Add(1)
		case "resync":
			c.resynced = true
			c.run.resyncs.Add(1)
		default:
			if event.Type(f.Event).Valid() {
				c.take(f)
			}
		}
	})
	if c.final != nil {
		c.run.refused.Add(1)
		c.run.mu.Lock()
		c.run.refusal = c.final.Error()
		c.run.mu.Unlock()
		if !c.connected {
			close(c.ready)
		}
	}
}

// take counts a delivery.
func (c *client) take(f watch.Frame) {
	h := c.run.happened(f.ID, f.At)
	if h.number < 0 {
		return
	}
	word, bit := h.number/64, uint64(1)<<(h.number%64)
	for word >= len(c.seen) {
		c.seen = append(c.seen, 0)
	}
	if c.seen[word]&bit != 0 {
		c.run.repeated.Add(1)
		return
	}
	c.seen[word] |= bit
	c.got++
	c.run.deliveries.Add(1)
	c.run.spread.add(f.At.Sub(h.first))
	var data struct {
		Timestamp time.Time `json:"timestamp"`
	}
	if err := json.Unmarshal(f.Data, &data); err == nil {
		c.run.latency.add(f.At.Sub(data.Timestamp))
	}
}
