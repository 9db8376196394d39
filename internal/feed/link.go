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
	heard      time.Time      // when data were last received
	pinged     time.Time      // when the first ping since then was sent; zero: none was
	checkable  bool           // check is subscribed
	checked    time.Time      // when the first message that has not come back was sent on check; zero: all came back
	unfollowed map[string]int // channels with an unsubscribe under way
}

// Times for watching a connection to Redis.
const (
	pingEvery = time.Second
	// unanswered is how long a ping may stay unanswered before the connection is closed. Clients must be told of the
	// lost subscription within 5 s.
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

// keepAsking pings a silent connection and closes it without an answer, which ends [Feed.listen].
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
