package eventstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/event"
	"orderbell/internal/store/database"
)

// days returns the days that event_records has a partition for; 0 is today.
func days(t *testing.T, pool *database.Pool) []int {
	t.Helper()
	rows, err := pool.Query(t.Context(), `SELECT to_date(right(relname, 8), 'YYYYMMDD') - (now() AT TIME ZONE 'UTC')::date
		FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = 'event_records'::regclass ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func today() time.Time { return time.Now().UTC().Truncate(24 * time.Hour) }

func TestEnsureDays(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	for _, want := range []int{2, 0} {
		made, err := s.EnsureDays(t.Context(), today().AddDate(0, 0, -1), today().AddDate(0, 0, 9))
		if err != nil || made != want {
			t.Errorf("made %d, %v, want %d", made, err, want)
		}
	}
	if diff := cmp.Diff([]int{-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, days(t, pool)); diff != "" {
		t.Error(diff)
	}
}

func TestDaysAheadStopsAtAGap(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	look := func(want int) {
		t.Helper()
		if got, err := s.DaysAhead(t.Context()); got != want || err != nil {
			t.Errorf("%d days ahead, %v, want %d", got, err, want)
		}
	}
	drop := func(ahead int) {
		t.Helper()
		day := today().AddDate(0, 0, ahead).Format("20060102")
		if _, err := pool.Exec(t.Context(), "DROP TABLE event_records_"+day); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.EnsureDays(t.Context(), today(), today().AddDate(0, 0, 9)); err != nil {
		t.Fatal(err)
	}
	look(9)
	drop(4)
	look(3)
	drop(0)
	look(-1)
}

func TestForgetDays(t *testing.T) {
	t.Parallel()
	t.Run("earlier days are dropped with their rows, later ones stay", func(t *testing.T) {
		t.Parallel()
		s, pool := setup(t, staff()...)
		for _, age := range []int{-5, -3, 0} {
			apply(t, s, paidAt(t, time.Now().AddDate(0, 0, age)))
		}
		for _, want := range []int{1, 0} {
			dropped, err := s.ForgetDays(t.Context(), today().AddDate(0, 0, -3))
			if err != nil || dropped != want {
				t.Errorf("dropped %d, %v, want %d", dropped, err, want)
			}
		}
		if diff := cmp.Diff([]int{-3, -1, 0, 1, 2, 3, 4, 5, 6, 7}, days(t, pool)); diff != "" {
			t.Error(diff)
		}
		assertCounts(t, pool, 2, 6, 6) // notifications and mails stay
	})
	t.Run("a drop waits only briefly for a reader, and events are applied meanwhile", func(t *testing.T) {
		t.Parallel()
		s, pool := setup(t, staff()...)
		apply(t, s, paidAt(t, time.Now().AddDate(0, 0, -5)))
		tx, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
		if _, err := tx.Exec(t.Context(), "SELECT count(*) FROM event_records"); err != nil {
			t.Fatal(err)
		}
		var conflict interface{ Conflict() bool }
		if n, err := s.ForgetDays(t.Context(), today().AddDate(0, 0, -3)); n != 0 || !errors.As(err, &conflict) {
			t.Errorf("dropped %d, %v, want a conflict", n, err)
		}
		if r := apply(t, s, paid(t)); r.Outcome != event.Applied {
			t.Errorf("got %+v", r)
		}
	})
}
