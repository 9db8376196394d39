package schema_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/schema"
)

func TestMigrationsAreGaplessPairs(t *testing.T) {
	t.Parallel()
	for i, m := range database.Migrations() {
		if int(m.Version) != i+1 || m.Name == "" {
			t.Errorf("migration %d is %+v", i+1, m)
		}
	}
	if n := len(database.Migrations()); int(database.Latest()) != n || n < 8 {
		t.Errorf("the latest of %d migrations is %d", n, database.Latest())
	}
}

func TestMigrateUpAndDown(t *testing.T) {
	t.Parallel()
	cfg := databasetest.Config(databasetest.EmptyURL(t))
	pool := databasetest.Open(t, cfg.URL)
	all := database.Migrations()
	status := func() database.Status {
		s, err := database.MigrationStatus(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	check := func(want string) {
		t.Helper()
		err := database.Check(t.Context(), pool)
		var tooOld *database.SchemaError
		if !errors.As(err, &tooOld) || err.Error() != want {
			t.Errorf("check says %v, want %s", err, want)
		}
	}
	latest := database.Latest()
	version := func(is uint) string {
		return fmt.Sprintf("schema version is %d, this program needs %d: run `orderbell migrate up`", is, latest)
	}
	if diff := cmp.Diff(database.Status{Pending: all}, status()); diff != "" {
		t.Error(diff)
	}
	check(version(0))

	var done []database.Migration
	note := func(m database.Migration) { done = append(done, m) }
	for range 2 { // a second time there is nothing to do
		if err := schema.Up(t.Context(), cfg, note); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(all, done); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(database.Status{Version: database.Latest()}, status()); diff != "" {
		t.Error(diff)
	}
	if err := database.Check(t.Context(), pool); err != nil {
		t.Error(err)
	}

	done = nil
	if err := schema.Down(t.Context(), cfg, 1, note); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all[latest-1:], done); diff != "" {
		t.Error(diff)
	}
	check(version(latest - 1))

	if err := schema.Down(t.Context(), cfg, 100, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(database.Status{Pending: all}, status()); diff != "" {
		t.Error(diff)
	}
	left := databasetest.One[int](t, pool, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'schema_migrations%'")
	if left != 0 {
		t.Errorf("%d tables and indexes are left", left)
	}
	if err := schema.Up(t.Context(), cfg, nil); err != nil {
		t.Fatal(err)
	}
}

func TestMigrationsTakeTurns(t *testing.T) {
	t.Parallel()
	cfg := databasetest.Config(databasetest.EmptyURL(t))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := schema.Up(context.WithoutCancel(t.Context()), cfg, nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := database.Check(t.Context(), databasetest.Open(t, cfg.URL)); err != nil {
		t.Error(err)
	}
}

func TestAStepThatFailsLeavesNoTrace(t *testing.T) {
	t.Parallel()
	cfg := databasetest.Config(databasetest.EmptyURL(t))
	pool := databasetest.Open(t, cfg.URL)
	exec := func(sql string) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE idempotency_keys ()") // the second table of step 3
	if err := schema.Up(t.Context(), cfg, nil); err == nil {
		t.Fatal("a failed step is reported as done")
	}
	if got := databasetest.One[string](t, pool, "SELECT version || ' ' || dirty FROM schema_migrations"); got != "2 false" {
		t.Errorf("schema_migrations has %s, want 2 false", got)
	}
	if got := databasetest.One[bool](t, pool, "SELECT to_regclass('orders') IS NULL"); !got {
		t.Error("the first table of the failed step is left")
	}
	exec("DROP TABLE idempotency_keys")
	if err := schema.Up(t.Context(), cfg, nil); err != nil {
		t.Fatal(err)
	}
	exec("CREATE VIEW uses_events AS SELECT event_id FROM event_records") // step 5 cannot be taken back
	if err := schema.Down(t.Context(), cfg, len(database.Migrations()), nil); err == nil {
		t.Fatal("a failed step is reported as done")
	}
	if got := databasetest.One[string](t, pool, "SELECT version || ' ' || dirty FROM schema_migrations"); got != "5 false" {
		t.Errorf("schema_migrations has %s, want 5 false", got)
	}
}

func TestProgramsStartOnANewerSchema(t *testing.T) {
	t.Parallel()
	cfg := databasetest.Config(databasetest.URL(t))
	pool := databasetest.Open(t, cfg.URL)
	latest := int(database.Latest())
	for _, c := range []struct {
		version int
		dirty   bool
		want    string // "" for a program that starts
	}{
		{latest, false, ""},
		{latest + 1, false, ""},
		{latest + 1, true, ""}, // its step is done or not: the one before certainly is
		{99, true, ""},
		{latest, true, fmt.Sprintf("schema version %d is marked as cut off, this program needs %[1]d: run `orderbell migrate up`", latest)},
		{latest - 1, false, fmt.Sprintf("schema version is %d, this program needs %d: run `orderbell migrate up`", latest-1, latest)},
	} {
		if _, err := pool.Exec(t.Context(), "UPDATE schema_migrations SET version = $1, dirty = $2", c.version, c.dirty); err != nil {
			t.Fatal(err)
		}
		for name, check := range map[string]func(context.Context, *database.Pool) error{"check": database.Check, "readiness": database.Ready} {
			got := ""
			if err := check(t.Context(), pool); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("%s at version %d, dirty %t: %q, want %q", name, c.version, c.dirty, got, c.want)
			}
		}
	}
}

func TestAMarkOfAStepThatWasCutOff(t *testing.T) {
	t.Parallel()
	steps := len(database.Migrations())
	for name, c := range map[string]struct {
		applied, marked int // steps
	}{
		"the first step, not done":                   {0, 1},
		"the first step, done":                       {1, 1},
		"a step, not done":                           {4, 5},
		"a step, done":                               {5, 5},
		"taking a step back, done":                   {5, 5},
		"taking a step back, not done":               {6, 5},
		"the last step, not done":                    {steps - 1, steps},
		"the last step, done":                        {steps, steps},
		"taking the last step back, not done":        {steps, steps - 1},
		"taking the first step back, not done":       {1, -1},
		"the step that makes policies, done":         {9, 9},
		"the step that makes policies, not done yet": {8, 9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := databasetest.Config(databasetest.EmptyURL(t))
			pool := databasetest.Open(t, cfg.URL)
			if err := schema.Up(t.Context(), cfg, nil); err != nil {
				t.Fatal(err)
			}
			want := objects(t, pool)
			if down := steps - c.applied; down > 0 {
				if err := schema.Down(t.Context(), cfg, down, nil); err != nil {
					t.Fatal(err)
				}
			}
			mark := fmt.Sprintf("DELETE FROM schema_migrations; INSERT INTO schema_migrations VALUES (%d, true)", c.marked)
			if _, err := pool.Exec(t.Context(), mark, pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Fatal(err)
			}
			var tooOld *database.SchemaError
			if err := schema.Down(t.Context(), cfg, 1, nil); c.marked > 0 && !errors.As(err, &tooOld) {
				t.Errorf("down says %v, want that up comes first", err)
			}
			if err := schema.Up(t.Context(), cfg, nil); err != nil {
				t.Fatal(err)
			}
			if s, err := database.MigrationStatus(t.Context(), cfg); err != nil || s.Dirty || int(s.Version) != steps {
				t.Errorf("status is %+v, error %v, want version %d", s, err, steps)
			}
			if diff := cmp.Diff(want, objects(t, pool)); diff != "" {
				t.Errorf("the schema is another: %s", diff)
			}
		})
	}
}

// objects names what the schema has.
func objects(t *testing.T, pool *database.Pool) string {
	t.Helper()
	return databasetest.One[string](t, pool, `SELECT string_agg(what, E'\n' ORDER BY what) FROM (
		SELECT table_name || '.' || column_name || ' ' || data_type AS what FROM information_schema.columns WHERE table_schema = 'public'
		UNION ALL SELECT indexname FROM pg_indexes WHERE schemaname = 'public'
		UNION ALL SELECT conrelid::regclass || ' ' || conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace
		UNION ALL SELECT tablename || ' ' || policyname FROM pg_policies
		UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace) AS all_objects`)
}

// TestAStepThatWaitsLetsTheProgramsWork: statements that are sent after a step that waits for a table wait too.
func TestAStepThatWaitsLetsTheProgramsWork(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	cfg := databasetest.Config(address)
	if err := schema.Down(t.Context(), cfg, int(database.Latest())-8, nil); err != nil {
		t.Fatal(err)
	}
	pool := databasetest.Open(t, cfg.URL)
	report, err := pool.Acquire(t.Context()) // a long query, such as a backup
	if err != nil {
		t.Fatal(err)
	}
	if _, err := report.Exec(t.Context(), "BEGIN; LOCK TABLE users IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	migrated := make(chan error, 1)
	go func() { migrated <- schema.Up(context.WithoutCancel(t.Context()), cfg, nil) }()
	const waits = "SELECT count(*) FROM pg_locks WHERE relation = 'users'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted"
	for databasetest.One[int](t, pool, waits) == 0 {
		select {
		case err := <-migrated:
			t.Fatalf("the migration did not wait: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // ten times what a step waits
	defer cancel()
	if _, err := pool.Exec(ctx, "UPDATE users SET name = name"); err != nil {
		t.Errorf("a program's statement waits as long as the step: %v", err)
	}
	if _, err := report.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	report.Release()
	if err := <-migrated; err != nil {
		t.Errorf("the migration did not try again: %v", err)
	}
}

func TestMigrateStopsWithItsContext(t *testing.T) {
	t.Parallel()
	cfg := databasetest.Config(databasetest.EmptyURL(t))
	ctx, cancel := context.WithCancel(t.Context())
	err := schema.Up(ctx, cfg, func(m database.Migration) {
		if m.Version == 3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
	s, err := database.MigrationStatus(t.Context(), cfg)
	if err != nil || s.Version != 3 || s.Dirty {
		t.Errorf("status is %+v, error %v, want version 3", s, err)
	}
}
