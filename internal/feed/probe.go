package feed

import (
	"context"
	"crypto/rand"
	"errors"
	"time"
)

// probeAgain is the interval after which a probe is repeated: the first may have been sent before the subscription
// existed.
const probeAgain = 100 * time.Millisecond

// Probe publishes a message through Redis and waits until it is received on the path of orders, or ctx ends. [Feed.Run]
// must be running.
func (f *Feed) Probe(ctx context.Context) error {
	nonce := rand.Text()
	came := make(chan struct{})
	f.mu.Lock()
	f.probes[nonce] = came
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.probes, nonce)
		f.mu.Unlock()
	}()
	again := time.NewTicker(probeAgain)
	defer again.Stop()
	for {
		if err := f.echo.Run(ctx, f.client, []string{channel(f.run.probe)}, nonce, f.cfg.Sharded).Err(); err != nil {
			return wrap("publish probe to "+f.address, err)
		}
		select {
		case <-came:
			return nil
		case <-again.C:
		case <-ctx.Done():
			return wrap("probe "+f.address, errors.New("the message did not come back from Redis"))
		}
	}
}

func (f *Feed) probed(nonce string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if came, ok := f.probes[nonce]; ok {
		close(came)
		delete(f.probes, nonce)
	}
}

// Ping returns nil if Redis accepts writes: enough for a program that only publishes.
func (f *Feed) Ping(ctx context.Context) error {
	if err := f.client.Set(ctx, channel(f.run.probe), "ping", pingKept).Err(); err != nil {
		return wrap("ping "+f.address, err)
	}
	return nil
}

// pingKept is the lifetime of the key that a ping writes.
const pingKept = 10 * time.Second
