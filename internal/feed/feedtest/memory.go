package feedtest

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
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

// Restartable starts a Redis that the test may close and restart: no other program gets its port in between.
func Restartable(tb testing.TB) *miniredis.Miniredis {
	tb.Helper()
	addr, err := embedded.FreeAddr()
	if err != nil {
		tb.Fatal(err)
	}
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr(addr); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Close)
	return server
}
