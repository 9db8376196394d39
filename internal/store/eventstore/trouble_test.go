package eventstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/eventstore"
)

func TestApplyDays(t *testing.T) {
	t.Parallel()
	t.Run("a day without a partition gets one", func(t *testing.T) {
		t.Parallel()
		s, pool := setup(t, staff()...)
		e := paidAt(t, time.Now().AddDate(0, 0, -40))
		var wg sync.WaitGroup
		for range 8 { // all find it missing
			wg.Go(func() {
				if _, err := s.Apply(context.Background(), e, sellers()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		assertCounts(t, pool, 1, 2, 2)
	})
}

func TestApplyWithoutDatabase(t *testing.T) {
	t.Parallel()
	cfg := databasetest.Config("postgres://nobody@127.0.0.1:1/nothing")
	cfg.ConnectTimeout, cfg.StatementTimeout = 5*time.Second, 5*time.Second
	pool, err := database.Open(t.Context(), cfg, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	_, err = eventstore.New(pool, "mail.example").Apply(t.Context(), paid(t), sellers())
	var temporary interface{ Temporary() bool }
	if !errors.As(err, &temporary) || !temporary.Temporary() {
		t.Errorf("got %v, want an error that says Temporary", err)
	}
}

func TestApplyBehindALock(t *testing.T) {
	t.Parallel()
	s, pool := setup(t, staff()...)
	exec(t, pool, `ALTER ROLE CURRENT_USER IN DATABASE `+currentDatabase(t, pool)+` SET lock_timeout = '50ms'`)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	if _, err := tx.Exec(t.Context(), "LOCK TABLE event_records"); err != nil {
		t.Fatal(err)
	}
	impatient := databasetest.Open(t, pool.Config().ConnString())
	_, err = eventstore.New(impatient, "mail.example").Apply(t.Context(), paid(t), sellers())
	var conflict interface{ Conflict() bool }
	if !errors.As(err, &conflict) || !conflict.Conflict() {
		t.Errorf("got %v, want an error that says Conflict", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	apply(t, s, paid(t))
}

func currentDatabase(t *testing.T, pool *database.Pool) (name string) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), "SELECT quote_ident(current_database())").Scan(&name); err != nil {
		t.Fatal(err)
	}
	return name
}
