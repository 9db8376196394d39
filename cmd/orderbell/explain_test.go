package main_test

import (
	"encoding/json"
	"strings"
	"testing"

	"orderbell/cmd/orderbell/internal/explain"
	"orderbell/internal/store/database/databasetest"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	pool := databasetest.Open(t, address)
	const id = "0193b5a2-1c1e-7c3a-9d55-0a1b2c3d4e5f"
	for _, sql := range []string{
		`INSERT INTO tenants (id, name) VALUES ('demo', 'Demo')`,
		`INSERT INTO users (id, tenant_id, email, roles) VALUES (gen_random_uuid(), 'demo', 'owner@demo.example', '{owner}')`,
		`INSERT INTO event_records (event_day, source, event_id, type, tenant_id, order_id, order_version, data_hash, data, occurred_at, decisions)
			SELECT now()::date, E'/s\e[2J', '` + id + `', 'order_paid', 'demo', gen_random_uuid(), 2, '', '{"status":"paid","version":2}', now(),
			jsonb_build_array(jsonb_build_object('user_id', id, 'channel', 'email', 'outcome', 'suppressed', 'reason', 'preference')) FROM users`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"DATABASE_URL=" + address}
	stdout, stderr, status := run(t, env, "explain", "--event", id, "--user", "owner@demo.example")
	for _, want := range []string{
		"order_paid " + id + " of order ", "It was taken in at ", "owner@demo.example (owner)",
		"e-mail  None: the user had e-mail notifications switched off.",
	} {
		if status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("status %d, no %q in\n%s%s", status, want, stdout, stderr)
		}
	}
	if strings.Contains(stdout, "\x1b") {
		t.Errorf("an escape sequence went through: %q", stdout)
	}
	stdout, stderr, status = run(t, env, "explain", "--event", id, "--json")
	var accounts []explain.Account
	if err := json.Unmarshal([]byte(stdout), &accounts); err != nil || status != 0 || len(accounts) != 1 || len(accounts[0].Users) != 1 {
		t.Errorf("status %d, %v: %s%s", status, err, stdout, stderr)
	}
	for name, test := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"no event":                    {nil, 2, `--event is ""`},
		"something that is no id":     {[]string{"--event", "paid"}, 2, `--event is "paid"`},
		"an unknown event":            {[]string{"--event", strings.ReplaceAll(id, "0193", "0194")}, 1, "nothing is known of event"},
		"a user of another tenant":    {[]string{"--event", id, "--user", "a@b.example"}, 1, "has no user a@b.example"},
		"something that is no option": {[]string{"--event", id, "--why"}, 2, "unknown flag"},
	} {
		if _, stderr, status := run(t, env, append([]string{"explain"}, test.args...)...); status != test.status || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: status %d, %q, want %d and %q", name, status, stderr, test.status, test.want)
		}
	}
}
