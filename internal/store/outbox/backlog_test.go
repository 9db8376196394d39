package outbox_test

import (
	"testing"
	"time"

	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/outbox"
)

func TestBacklog(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	o := outbox.New(pool)
	check := func(wantUnsent int64, from, to time.Duration) {
		t.Helper()
		unsent, oldest, err := o.Backlog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if unsent != wantUnsent || oldest < from || oldest > to {
			t.Errorf("%d unsent, the oldest for %s; want %d and %s to %s", unsent, oldest, wantUnsent, from, to)
		}
	}
	check(0, 0, 0)
	insert(t, pool, 1, 3)
	if _, err := pool.Exec(t.Context(), `UPDATE outbox SET created_at = created_at - interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	insert(t, pool, 2, 4)
	check(7, time.Hour, 2*time.Hour)
	take(t, o)
	check(0, 0, 0)
}
