package database_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
)

func TestBeginLimitsSilence(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	for name, test := range map[string]struct {
		lasts       time.Duration // 0: for ever
		least, most int           // milliseconds
	}{
		"a context without an end": {0, 60_000, 60_000},
		"a context that ends":      {30 * time.Second, 30_000, 35_000},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if test.lasts > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, test.lasts)
				defer cancel()
			}
			const limit = `SELECT setting::int FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'`
			tx, err := database.Begin(ctx, pool)
			if err != nil {
				t.Fatal(err)
			}
			var during int
			if err := tx.QueryRow(ctx, limit).Scan(&during); err != nil || during < test.least || during > test.most {
				t.Errorf("the limit is %d ms (%v), want %d to %d", during, err, test.least, test.most)
			}
			if err := tx.Commit(ctx); err != nil {
				t.Fatal(err)
			}
			for _, c := range pool.AcquireAllIdle(ctx) {
				var after int
				if err := c.QueryRow(ctx, limit).Scan(&after); err != nil || after != 0 {
					t.Errorf("after the transaction the limit is %d ms (%v), want none", after, err)
				}
				c.Release()
			}
		})
	}
}

func TestTransactTakesAllBackOnAnError(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	refused := errors.New("no")
	err := database.Transact(t.Context(), pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `INSERT INTO tenants (id, name) VALUES ('begun', 'Begun')`); err != nil {
			return err
		}
		return refused
	})
	var n int
	if scan := pool.QueryRow(t.Context(), `SELECT count(*) FROM tenants WHERE id = 'begun'`).Scan(&n); !errors.Is(err, refused) || scan != nil || n != 0 {
		t.Errorf("error %v, %v; %d rows, want none", err, scan, n)
	}
}
