package embedded_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"orderbell/internal/dev/embedded"
)

// limit is generous: the machine may be busy.
const limit = 60 * time.Second

func TestRedis(t *testing.T) {
	t.Parallel()
	server, err := embedded.StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	options, err := redis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })

	t.Run("keys expire by the clock", func(t *testing.T) {
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
	t.Run("two servers know nothing of each other", func(t *testing.T) {
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
