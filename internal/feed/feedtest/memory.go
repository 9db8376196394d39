package feedtest

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"orderbell/internal/dev/embedded"
)

// InMemory starts an embedded Redis of its own for the test, with a client that is not the feed's.
func InMemory(tb testing.TB) (*embedded.Redis, *redis.Client) {
	tb.Helper()
	server, err := embedded.StartRedis()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Stop)
	options, err := redis.ParseURL(server.URL())
	if err != nil {
		tb.Fatal(err)
	}
	client := redis.NewClient(options)
	tb.Cleanup(func() { _ = client.Close() })
	return server, client
}
