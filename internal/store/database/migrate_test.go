package database_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
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
	pool := open(t, cfg)
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
		var schema *database.SchemaError
		if !errors.As(err, &schema) || err.Error() != want {
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
		if err := database.MigrateUp(t.Context(), cfg, note); err != nil {
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
	if err := database.MigrateDown(t.Context(), cfg, 1, note); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all[latest-1:], done); diff != "" {
		t.Error(diff)
	}
	check(version(latest - 1))

	if err := database.MigrateDown(t.Context(), cfg, 100, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(database.Status{Pending: all}, status()); diff != "" {
		t.Error(diff)
	}
	left := one[int](t, pool, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'schema_migrations%'")
	if left != 0 {
		t.Errorf("%d tables and indexes are left", left)
	}
	if err := database.MigrateUp(t.Context(), cfg, nil); err != nil {
		t.Fatal(err)
	}
}

func TestMigrationsTakeTurns(t *testing.T) {
	t.Parallel()
	cfg := databasetest.Config(databasetest.EmptyURL(t))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := database.MigrateUp(context.WithoutCancel(t.Context()), cfg, nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := database.Check(t.Context(), open(t, cfg)); err != nil {
		t.Error(err)
	}
}

func TestAStepThatFailsLeavesNoTrace(t *testing.T) {
	t.Parallel()
	cfg := databasetest.Config(databasetest.EmptyURL(t))
	pool := open(t, cfg)
	exec := func(sql string) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE idempotency_keys ()") // the second table of step 3
	if err := database.MigrateUp(t.Context(), cfg, nil); err == nil {
		t.Fatal("a step that fails is taken for one that doesn't")
	}
	if got := one[string](t, pool, "SELECT version || ' ' || dirty FROM schema_migrations"); got != "2 false" {
		t.Errorf("schema_migrations has %s, want 2 false", got)
	}
	if got := one[bool](t, pool, "SELECT to_regclass('orders') IS NULL"); !got {
		t.Error("the first table of the failed step is left")
	}
	exec("DROP TABLE idempotency_keys")
	if err := database.MigrateUp(t.Context(), cfg, nil); err != nil {
		t.Fatal(err)
	}
	exec("CREATE VIEW uses_events AS SELECT event_id FROM event_records") // step 5 cannot be taken back
	if err := database.MigrateDown(t.Context(), cfg, len(database.Migrations()), nil); err == nil {
		t.Fatal("a step that fails is taken for one that doesn't")
	}
	if got := one[string](t, pool, "SELECT version || ' ' || dirty FROM schema_migrations"); got != "5 false" {
		t.Errorf("schema_migrations has %s, want 5 false", got)
	}
}

func TestASchemaThatIsCutOffOrNewer(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	cfg := databasetest.Config(address)
	pool := open(t, cfg)
	if _, err := pool.Exec(t.Context(), "UPDATE schema_migrations SET version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := database.Check(t.Context(), pool); err != nil {
		t.Errorf("a newer schema: %v", err)
	}
	if _, err := pool.Exec(t.Context(), "UPDATE schema_migrations SET version = 8, dirty = true"); err != nil {
		t.Fatal(err)
	}
	const want = "schema version 8 was cut off in the middle: look whether its step is done, then correct schema_migrations"
	for call, err := range map[string]error{
		"check": database.Check(t.Context(), pool),
		"up":    database.MigrateUp(t.Context(), cfg, nil),
		"down":  database.MigrateDown(t.Context(), cfg, 1, nil),
	} {
		var schema *database.SchemaError
		if !errors.As(err, &schema) || err.Error() != want {
			t.Errorf("%s says %v, want %s", call, err, want)
		}
	}
}

func TestMigrateStopsWithItsContext(t *testing.T) {
	t.Parallel()
	cfg := databasetest.Config(databasetest.EmptyURL(t))
	ctx, cancel := context.WithCancel(t.Context())
	err := database.MigrateUp(ctx, cfg, func(m database.Migration) {
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
