package main_test

import (
	"strings"
	"testing"

	"orderbell/internal/store/database/databasetest"
)

// TestCommandsFindWhatIsSpelledInAnotherWay names addresses by their U-labels, and names in another form of Unicode, than the
// database has.
func TestCommandsFindWhatIsSpelledInAnotherWay(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	pool := databasetest.Open(t, address)
	const user, orderID, event = "01a2b3c4-0000-7000-8000-000000000001", "01a2b3c4-0000-7000-8000-000000000002", "01a2b3c4-0000-7000-8000-000000000003"
	for _, sql := range []string{
		`INSERT INTO tenants (id, name) VALUES ('demo', 'Demo')`,
		`INSERT INTO users (id, tenant_id, email, roles) VALUES ('` + user + `', 'demo', 'Kasse@xn--bcher-kva.example', '{owner}')`,
		`INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, message_id, status)
			VALUES ('` + user + `', 'demo', '` + user + `', '/x', '` + event + `', 'order_paid', '` + orderID + `', '{}', 'x@x', 'due')`,
		`INSERT INTO mail_suppressions (address, reason) VALUES ('kasse@xn--bcher-kva.example', '550 5.1.1')`,
		`INSERT INTO devices (id, tenant_id, name, role, secret_hash) VALUES ('` + event + `', 'demo', 'Café', 'kitchen', sha256(''))`,
		`INSERT INTO orders (id, tenant_id, reference, status, total_amount, currency, version, created_at, updated_at) VALUES ('` + orderID + `', 'demo', 'Café', 'submitted', 1, 'EUR', 1, now(), now())`,
		`SELECT ensure_event_record_partitions(current_date, current_date)`,
		`INSERT INTO event_records (event_day, source, event_id, type, tenant_id, order_id, order_version, data_hash, data, occurred_at, decisions)
			VALUES (current_date, '/orderbell/order-api', '` + event + `', 'order_paid', 'demo', '` + orderID + `', 1, '', '{}', now(), '[]')`,
	} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	env := []string{"DATABASE_URL=" + address, "AUTH_DEV_SECRET=0123456789abcdef0123456789abcdef"}
	const typed = "KASSE@Bücher.example"
	for _, args := range [][]string{
		{"token", "--tenant", "demo", "--email", typed},
		{"mail", "list", "--user", typed},
		{"explain", "--event", event, "--user", typed},
		{"explain", "--reference", "Café"},
		{"trace", "Café"},
		{"device", "revoke", "Café", "--tenant", "demo"},
		{"mail", "suppressions", "list", typed},
		{"mail", "suppressions", "remove", typed},
	} {
		if _, stderr, status := run(t, env, args...); status != 0 {
			t.Errorf("%s: exit status %d, %s", strings.Join(args, " "), status, stderr)
		}
	}
}
