package feed

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// link is one pub/sub connection.
type link struct {
	node    string
	pubsub  *redis.PubSub
	sharded bool
	ended   chan struct{} // closed: nothing is read any more
	check   string        // its own channel, in the hash slot of one of its tenants

	mu         sync.Mutex
	heard      time.Time      // when anything came in
	pinged     time.Time      // when the first ping since then was sent; zero: none was
	checkable  bool           // check is subscribed
	checked    time.Time      // when the first message was sent on check that has not come; 0: all came
	unfollowed map[string]int // channels whose unsubscribe is under way
}

// How a connection to Redis is watched.
const (
	pingEvery = time.Second
	// unanswered is how long a ping may stay without an answer before the connection is given up. Watchers must know of
	// the lost subscription within 5 s.
	unanswered = 2500 * time.Millisecond
)

func (l *link) subscribe(ctx context.Context, channels []string) error {
	if len(channels) == 0 {
		return nil
	}
	if !l.sharded {
		return l.pubsub.Subscribe(ctx, channels...)
	}
	if l.node == "" {
		return l.pubsub.SSubscribe(ctx, channels...)
	}
	for _, c := range channels { // a Cluster refuses channels of several slots in one command
		if err := l.pubsub.SSubscribe(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) unsubscribe(ctx context.Context, tenant string) {
	l.mu.Lock()
	l.unfollowed[tenant]++
	l.mu.Unlock()
	if l.sharded {
		_ = l.pubsub.SUnsubscribe(ctx, channel(tenant)) // on a broken connection nothing is subscribed any more
	} else {
		_ = l.pubsub.Unsubscribe(ctx, channel(tenant))
	}
}

// keepAsking asks a silent connection for an answer, and closes it when none comes: [Feed.listen] ends then.
func (l *link) keepAsking(ctx context.Context) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.ended:
			return
		case now := <-tick.C:
			l.mu.Lock()
			dead := !l.pinged.IsZero() && now.Sub(l.pinged) >= unanswered
			if l.pinged.IsZero() {
				l.pinged = now
			}
			l.mu.Unlock()
			if dead || l.pubsub.Ping(context.WithoutCancel(ctx)) != nil {
				_ = l.pubsub.Close()
			}
		}
	}
}

func (l *link) lastHeard() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard
}
