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
		"order_paid " + id + " of order ", "It was applied at ", "owner@demo.example (owner)",
		"e-mail  None: the user had e-mail notifications switched off.",
	} {
		if status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("status %d, no %q in\n%s%s", status, want, stdout, stderr)
		}
	}
	if strings.Contains(stdout, "\x1b") {
		t.Errorf("an escape sequence is printed: %q", stdout)
	}
	stdout, stderr, status = run(t, env, "explain", "--event", id, "--json")
	var accounts []explain.Account
	if err := json.Unmarshal([]byte(stdout), &accounts); err != nil || status != 0 || len(accounts) != 1 || len(accounts[0].Users) != 1 {
		t.Errorf("status %d, %v: %s%s", status, err, stdout, stderr)
	}
	const order, mail, trace = "0193b5a2-2222-7c3a-9d55-0a1b2c3d4e5f", "0193b5a2-3333-7c3a-9d55-0a1b2c3d4e5f", "4bf92f3577b34da6a3ce929d0e0e4736"
	for _, sql := range []string{
		`UPDATE event_records SET order_id = '` + order + `', traceparent = '00-` + trace + `-00f067aa0ba902b7-01'`,
		`INSERT INTO orders (id, tenant_id, reference, status, total_amount, currency, version, created_at, updated_at)
			VALUES ('` + order + `', 'demo', 'A-1', 'paid', 1, 'EUR', 2, now(), now())`,
		`INSERT INTO users (id, tenant_id, email, roles) VALUES (gen_random_uuid(), 'demo', 'cashier@demo.example', '{cashier}')`,
		`INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, message_id)
			SELECT '` + mail + `', 'demo', u.id, source, event_id, type, order_id, data, 'm' FROM event_records, users u WHERE email = 'cashier@demo.example'`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"--order", order}, {"--reference", "A-1"}, {"--reference", "A-1", "--tenant", "demo"}, {"--mail", mail}} {
		stdout, stderr, status := run(t, env, append([]string{"explain"}, args...)...)
		if want := "Its trace is " + trace + ": orderbell trace " + order; status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("%v: status %d, no %q in\n%s%s", args, status, want, stdout, stderr)
		}
		if one := args[0] == "--mail"; one == strings.Contains(stdout, "owner@demo.example (owner)") || !strings.Contains(stdout, "cashier@demo.example (cashier)") {
			t.Errorf("%v: is for the user of the mail alone: %t\n%s", args, one, stdout)
		}
	}
	for name, test := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"no event":                   {nil, 2, "give one of --event, --order, --reference and --mail"},
		"a text that is not an id":   {[]string{"--event", "paid"}, 2, `not "paid"`},
		"an unknown event":           {[]string{"--event", strings.ReplaceAll(id, "0193", "0194")}, 1, "there is no event"},
		"a user of another tenant":   {[]string{"--event", id, "--user", "a@b.example"}, 1, "has no user a@b.example"},
		"two of them":                {[]string{"--event", id, "--reference", "A-1"}, 2, "give one of"},
		"an order that is not an id": {[]string{"--order", "A-1"}, 2, `not "A-1"`},
		"an unknown order":           {[]string{"--order", id}, 1, "there is no order " + id},
		"an unknown reference":       {[]string{"--reference", "B-1"}, 1, "no order has the reference B-1"},
		"an unknown mail":            {[]string{"--mail", id}, 1, "there is no mail " + id},
		"a tenant of no reference":   {[]string{"--event", id, "--tenant", "demo"}, 2, "needs --reference: leave it out"},
		"an unknown flag":            {[]string{"--event", id, "--why"}, 2, "--why is not a flag of orderbell explain"},
	} {
		if _, stderr, status := run(t, env, append([]string{"explain"}, test.args...)...); status != test.status || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: status %d, %q, want %d and %q", name, status, stderr, test.status, test.want)
		}
	}
}
