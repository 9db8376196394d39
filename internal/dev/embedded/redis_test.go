package embedded_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"orderbell/internal/dev/embedded"
	"orderbell/internal/feed/feedtest"
)

// limit is generous: the machine may be busy.
const limit = 60 * time.Second

func TestRedis(t *testing.T) {
	t.Parallel()
	server, client := feedtest.InMemory(t)

	t.Run("keys expire in time", func(t *testing.T) {
		t.Parallel()
		if err := client.Set(t.Context(), "mark", "1", 20*time.Millisecond).Err(); err != nil {
			t.Fatal(err)
		}
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(limit); time.Now().Before(deadline); <-tick.C {
			if client.Exists(t.Context(), "mark").Val() == 0 {
				return
			}
		}
		t.Error("the key did not expire")
	})
	t.Run("two servers are independent", func(t *testing.T) {
		t.Parallel()
		other, err := embedded.StartRedis()
		if err != nil {
			t.Fatal(err)
		}
		defer other.Stop()
		if other.URL() == server.URL() {
			t.Errorf("both servers are at %s", other.URL())
		}
	})
}

func TestABrokenRedisIsRefusedAndComesBackWithItsData(t *testing.T) {
	t.Parallel()
	server, client := feedtest.InMemory(t)
	if err := client.Set(t.Context(), "kept", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	before := server.URL()
	server.Break()
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Error("a broken server answers")
	}
	if err := server.Repair(); err != nil {
		t.Fatal(err)
	}
	if got, err := client.Get(t.Context(), "kept").Result(); err != nil || got != "1" {
		t.Errorf("after the repair the key is %q, %v", got, err)
	}
	if server.URL() != before {
		t.Errorf("it was at %s, and is at %s", before, server.URL())
	}
	if err := client.XAdd(t.Context(), &redis.XAddArgs{Stream: "s", Values: []string{"a", "b"}}).Err(); err != nil {
		t.Fatal(err)
	}
	blocking := client.XRead(t.Context(), &redis.XReadArgs{Streams: []string{"s", "$"}, Block: 50 * time.Millisecond})
	if err := blocking.Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("a command that blocks for a while ends with %v, want no entry", err)
	}
}

// BenchmarkRedis measures one command beside many keys that expire, as the marks of events do: it must not depend on
// their number.
func BenchmarkRedis(b *testing.B) {
	for _, keys := range []int{100, 30_000} {
		b.Run(fmt.Sprintf("%d keys", keys), func(b *testing.B) {
			_, client := feedtest.InMemory(b)
			for from := 0; from < keys; from += 1000 {
				pipe := client.Pipeline()
				for i := from; i < min(from+1000, keys); i++ {
					pipe.Set(b.Context(), fmt.Sprint("mark:", i), "1", 15*time.Minute)
				}
				if _, err := pipe.Exec(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				if err := client.Get(b.Context(), "mark:1").Err(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
