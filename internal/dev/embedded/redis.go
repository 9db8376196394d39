package embedded

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// Redis is a Redis inside this process. It keeps nothing: a restart is an empty server, which the gateway answers with
// resync. It has no sharded pub/sub. Keys expire up to some tenths of a second late.
type Redis struct {
	server *miniredis.Miniredis
	url    string
	stop   chan struct{}
	clock  sync.WaitGroup
	once   sync.Once
}

// The clock of the embedded Redis. miniredis can follow the time by itself (ClockTTL), but then every command walks and
// sorts all keys: with the 30,000 marks of a burst of orders one command took seconds.
const (
	tick  = 100 * time.Millisecond // between two walks over the keys
	pause = 50                     // a walk of duration d is followed by a pause of at least pause × d: 2 % of a core at most
)

// StartRedis starts an empty server on a free loopback port.
func StartRedis() (*Redis, error) {
	addr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	r := &Redis{server: miniredis.NewMiniRedis(), stop: make(chan struct{})}
	if err := r.server.StartAddr(addr); err != nil {
		return nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	r.url = "redis://" + r.server.Addr() + "/0"
	r.clock.Go(r.expire)
	return r, nil
}

// expire lets keys expire as time passes, until the server stops.
func (r *Redis) expire() {
	last := time.Now()
	timer := time.NewTimer(tick)
	defer timer.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-timer.C:
			now := time.Now()
			r.server.FastForward(now.Sub(last))
			last = now
			timer.Reset(max(tick, pause*time.Since(now)))
		}
	}
}

// URL is the address for REDIS_URL.
func (r *Redis) URL() string { return r.url }

// Break closes every connection and refuses new ones until [Redis.Repair]. The data stay.
func (r *Redis) Break() { r.server.Close() }

// Repair serves again after [Redis.Break], at the same address and with its earlier data. It fails if another program has
// taken the port.
func (r *Redis) Repair() error {
	r.server.Ctx, r.server.CtxCancel = context.WithCancel(context.Background()) //nolint:gosec // Close calls it; it has ended the previous one
	if err := r.server.Restart(); err != nil {
		return fmt.Errorf("start the embedded Redis again: %w", err)
	}
	return nil
}

// Stop closes the server and every connection to it. A second call does nothing.
func (r *Redis) Stop() {
	r.once.Do(func() { close(r.stop) })
	r.clock.Wait()
	r.server.Close()
}
