package main_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/schema"
)

const (
	waitsForLock = `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
		AND application_name = 'orderbell-migrate' AND wait_event_type = 'Lock')`
	hasDone = `SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'orderbell-migrate')`
)

// eventually waits until a query is true.
func eventually(t *testing.T, pool *database.Pool, what, query string) {
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

// TestMigrateKilledWhileItMends kills the program again, while it finds out whether the step of the first kill is done.
func TestMigrateKilledWhileItMends(t *testing.T) {
	t.Parallel()
	const step = 9 // it grants rights on tenants first
	for name, applied := range map[string]int{"the step is done": step, "the step is not done": step - 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := databasetest.URL(t)
			env := []string{"DATABASE_URL=" + address}
			if err := schema.Down(t.Context(), databasetest.Config(address), int(database.Latest())-applied, nil); err != nil {
				t.Fatal(err)
			}
			pool := databasetest.Open(t, address)
			if _, err := pool.Exec(t.Context(), "UPDATE schema_migrations SET version = $1, dirty = true", step); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				reader, err := pgx.Connect(t.Context(), address)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := reader.Exec(t.Context(), "BEGIN; GRANT SELECT ON tenants TO PUBLIC"); err != nil {
					t.Fatal(err)
				}
				cmd := orderbell(t, env, "migrate", "up")
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				eventually(t, pool, "the step waits for its lock", waitsForLock)
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				_ = cmd.Wait() // killed
				if _, err := pool.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orderbell-migrate' AND datname = current_database()"); err != nil {
					t.Fatal(err)
				}
				eventually(t, pool, "the server has done with the step", hasDone)
				if err := reader.Close(context.WithoutCancel(t.Context())); err != nil {
					t.Fatal(err)
				}
				if _, stderr, status := run(t, env, "migrate", "status"); status != 1 || !strings.Contains(stderr, "cut off") {
					t.Errorf("status after the kill: %d %s, want 1: the step is still marked", status, stderr)
				}
			}
			if stdout, stderr, status := run(t, env, "migrate", "up"); status != 0 {
				t.Fatalf("migrate up after the kills: %d %s %s", status, stdout, stderr)
			}
			if err := database.Check(t.Context(), pool); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestMigrateKilledWhileItWaitsForALock kills the program with SIGKILL. The server does not know, and goes on with the
// step that it was sent.
func TestMigrateKilledWhileItWaitsForALock(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	env, cfg := []string{"DATABASE_URL=" + address}, databasetest.Config(address)
	const before = 8 // step 9 locks users and other tables
	if err := schema.Down(t.Context(), cfg, int(database.Latest())-before, nil); err != nil {
		t.Fatal(err)
	}
	pool := databasetest.Open(t, address)
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
		var version int
		if err := pool.QueryRow(t.Context(), "SELECT max(version) FROM schema_migrations").Scan(&version); err != nil {
			t.Fatal(err)
		}
		if version == before {
			eventually(t, pool, "the step waits for its lock", waitsForLock)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		if err := reader.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		eventually(t, pool, "the server has done with the step", hasDone)
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
