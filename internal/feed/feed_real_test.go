//go:build real

package feed_test

import (
	"os"
	"testing"

	"orderbell/internal/feed/feedtest"
)

func TestConformanceOfRealRedis(t *testing.T) {
	t.Parallel()
	url := os.Getenv("REDIS_URL")
	if url == "" {
		t.Fatal("REDIS_URL is not set: tests with the tag real need a Redis server")
	}
	feedtest.Suite(t, url)
}
