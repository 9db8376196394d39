package outbox_test

import (
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

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

// TestForgetSentGoesOnWhereItEnded removes many rows while a transaction keeps the dead ones alive.
func TestForgetSentGoesOnWhereItEnded(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	pool := databasetest.Open(t, address)
	preparing := databasetest.Open(t, address)
	const sent, each = 5000, 100
	burst(t, preparing, "demo", sent)
	if _, err := preparing.Exec(t.Context(), `UPDATE outbox SET sent_at = now() - interval '2 days' + id * interval '1 second'`); err != nil {
		t.Fatal(err)
	}
	closeAll(t, pool, preparing)
	begin(t, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, "SELECT FROM outbox LIMIT 1")
	before := rowsRead(t, pool)
	removing := databasetest.Open(t, address)
	o := outbox.New(removing)
	var removed int64
	for n := int64(each); n == each; removed += n {
		var err error
		if n, err = o.ForgetSent(t.Context(), time.Now().Add(-24*time.Hour), each); err != nil {
			t.Fatal(err)
		}
	}
	closeAll(t, pool, removing)
	if removed != sent {
		t.Errorf("%d rows were removed, want %d", removed, sent)
	}
	if read := rowsRead(t, pool) - before; read > 10*sent { // without a memory sent²/each/2
		t.Errorf("removing %d rows read %d", sent, read)
	}
}
