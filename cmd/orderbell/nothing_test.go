package main_test

import (
	"strings"
	"testing"

	"orderbell/internal/store/database/databasetest"
)

// TestCommandsSayThatNothingMatched has commands name a tenant or a user that does not exist.
func TestCommandsSayThatNothingMatched(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	pool := databasetest.Open(t, address)
	const id, event = "01a2b3c4-0000-7000-8000-000000000001", "0193b5a2-1c1e-7c3a-9d55-0a1b2c3d4e5f"
	for _, sql := range []string{
		`INSERT INTO tenants (id, name) VALUES ('demo', 'Demo')`,
		`INSERT INTO users (id, tenant_id, email, roles) VALUES ('` + id + `', 'demo', 'ana@demo.example', '{owner}')`,
		`SELECT ensure_event_record_partitions(current_date, current_date)`,
		`INSERT INTO event_records (event_day, source, event_id, type, tenant_id, order_id, order_version, data_hash, data, occurred_at, decisions)
			VALUES (current_date, '/orderbell/order-api', '` + event + `', 'order_paid', 'demo', gen_random_uuid(), 1, '', '{}', now(), '[]')`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"DATABASE_URL=" + address, "AUTH_DEV_SECRET=0123456789abcdef0123456789abcdef"}
	for _, tt := range []struct {
		args string
		want string
	}{
		{"verify --no-redis --tenant nowhere", "there is no tenant nowhere"},
		{"tail --url http://127.0.0.1:1 --tenant nowhere", "there is no tenant nowhere"},
		{"tail --url http://127.0.0.1:1 --tenant demo --user bo@demo.example", "tenant demo has no user bo@demo.example"},
		{"explain --event " + event + " --user bo@demo.example", "has no user bo@demo.example"},
		{"explain --event 0193b5a2-1c1e-7c3a-9d55-0a1b2c3d4e50", "0193b5a2-1c1e-7c3a-9d55-0a1b2c3d4e50"},
	} {
		if _, stderr, status := run(t, env, strings.Fields(tt.args)...); status != 1 || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: status %d, %q, want 1 and %q", tt.args, status, stderr, tt.want)
		}
	}
	for _, who := range []string{id, "ANA@demo.example"} {
		if stdout, stderr, status := run(t, env, "explain", "--event", event, "--user", who); status != 0 || !strings.Contains(stdout, "ana@demo.example") {
			t.Errorf("explain --user %s: status %d, %s%s", who, status, stdout, stderr)
		}
	}
}
