package main_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
)

// TestMigrateKilledWhileItWaitsForALock kills the program with SIGKILL. The server does not know, and goes on with the
// step that it was sent.
func TestMigrateKilledWhileItWaitsForALock(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	env, cfg := []string{"DATABASE_URL=" + address}, databasetest.Config(address)
	const before = 8 // step 9 locks users and other tables
	if err := database.MigrateDown(t.Context(), cfg, int(database.Latest())-before, nil); err != nil {
		t.Fatal(err)
	}
	pool := databasetest.Open(t, address)
	eventually := func(what, query string) {
		t.Helper()
		for deadline := time.Now().Add(limit); ; {
			var so bool
			if err := pool.QueryRow(t.Context(), query).Scan(&so); err != nil {
				t.Fatal(err)
			}
			if so {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("still not so: %s", what)
			}
			<-time.After(20 * time.Millisecond)
		}
	}
	for range 3 { // the step is completed or given up by the server, whichever comes first
		reader, err := pgx.Connect(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reader.Exec(t.Context(), "BEGIN; LOCK TABLE users IN ACCESS SHARE MODE"); err != nil {
			t.Fatal(err)
		}
		cmd := orderbell(t, env, "migrate", "up")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		const waits = `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
			AND application_name = 'orderbell-migrate' AND wait_event_type = 'Lock')`
		var version int
		if err := pool.QueryRow(t.Context(), "SELECT max(version) FROM schema_migrations").Scan(&version); err != nil {
			t.Fatal(err)
		}
		if version == before {
			eventually("the step waits for its lock", waits)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		if err := reader.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		eventually("the server has done with the step", `SELECT NOT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'orderbell-migrate')`)
		var dirty bool
		if err := pool.QueryRow(t.Context(), "SELECT bool_or(dirty) FROM schema_migrations").Scan(&dirty); err != nil || dirty {
			t.Errorf("the version is marked dirty: %t, error %v", dirty, err)
		}
		if stdout, stderr, status := run(t, env, "migrate", "status"); status != 0 {
			t.Errorf("status: %d %s %s", status, stdout, stderr)
		}
	}
	if stdout, stderr, status := run(t, env, "migrate", "up"); status != 0 {
		t.Fatalf("migrate up after the kill: %d %s %s", status, stdout, stderr)
	}
	if err := database.Check(t.Context(), pool); err != nil {
		t.Error(err)
	}
}

func TestMigrateStatusOfAStepThatWasCutOff(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	env := []string{"DATABASE_URL=" + address}
	if _, err := databasetest.Open(t, address).Exec(t.Context(), "UPDATE schema_migrations SET dirty = true"); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"migrate", "status"}, {"migrate", "status", "--json"}} {
		stdout, stderr, status := run(t, env, args...)
		if status != 1 || !strings.Contains(stderr, "orderbell migrate up") || !strings.Contains(stdout, "create_tenants") {
			t.Errorf("%v: %d %s %s, want exit status 1, the steps, and what to run", args, status, stdout, stderr)
		}
	}
	if stdout, stderr, status := run(t, env, "migrate", "up"); status != 0 {
		t.Fatalf("migrate up: %d %s %s", status, stdout, stderr)
	}
	if stdout, stderr, status := run(t, env, "migrate", "status"); status != 0 {
		t.Errorf("status after up: %d %s %s", status, stdout, stderr)
	}
}
