package verify_test

import (
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"

	"orderbell/internal/duration"
	"orderbell/internal/feed"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
)

// closed returns a pool that is closed.
func closed(t *testing.T) *database.Pool {
	t.Helper()
	pool := databasetest.New(t)
	pool.Close()
	return pool
}

// gone returns a feed whose Redis does not exist.
func gone(t *testing.T) *feed.Feed {
	t.Helper()
	f, err := feed.Open(feed.Config{URL: "redis://127.0.0.1:1", ReplayTTL: duration.Seconds(replayTTL), ReplayMax: 1, ReplayBytes: 8 << 20, Sharded: "off"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
			t.Error(err)
		}
	})
	return f
}
