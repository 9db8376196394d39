package outbox_test

import (
	"slices"
	"testing"
	"time"

	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/outbox"
)

func TestForgetSent(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	o := outbox.New(pool)
	insert(t, pool, 0, 5)
	for _, sql := range []string{
		`UPDATE outbox SET sent_at = now() - interval '2 days' WHERE id <= 3`,
		`UPDATE outbox SET sent_at = now() WHERE id = 4`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	var removed []int64
	for range 3 {
		n, err := o.ForgetSent(t.Context(), time.Now().Add(-24*time.Hour), 2)
		if err != nil {
			t.Fatal(err)
		}
		removed = append(removed, n)
	}
	if want := []int64{2, 1, 0}; !slices.Equal(removed, want) {
		t.Errorf("removed %v, want %v", removed, want)
	}
	var left []int64
	if err := pool.QueryRow(t.Context(), "SELECT array_agg(id ORDER BY id) FROM outbox").Scan(&left); err != nil {
		t.Fatal(err)
	}
	if want := []int64{4, 5}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v: the one sent just now and the unsent one", left, want)
	}
}
