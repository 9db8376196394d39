package database_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
)

// TestRolesMayDoNoMore logs in as each program and tries what the program must not do.
func TestRolesMayDoNoMore(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	// Statements that one program runs and another must not.
	statements := map[string]string{
		"reads orders":             "SELECT id FROM orders LIMIT 1",
		"changes orders":           "UPDATE orders SET status = 'paid'",
		"reads users":              "SELECT email FROM users LIMIT 1",
		"changes users":            "UPDATE users SET roles = '{owner}'",
		"reads the outbox":         "SELECT data FROM outbox LIMIT 1",
		"writes the outbox":        "INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at) VALUES (0, gen_random_uuid(), '', '', 'demo', gen_random_uuid(), '', now())",
		"removes outbox rows":      "DELETE FROM outbox",
		"writes event records":     "INSERT INTO event_records (event_day, source, event_id, type, tenant_id, order_id, order_version, data_hash, data, occurred_at) SELECT current_date, '/s', gen_random_uuid(), 'order_paid', 'demo', gen_random_uuid(), 1, '', '{}', now() WHERE false",
		"drops a day":              "SELECT drop_event_record_partition('event_records_20000101')",
		"makes a day":              "SELECT ensure_event_record_partitions(current_date, current_date)",
		"reads mails":              "SELECT data FROM email_deliveries LIMIT 1",
		"allows a source":          "INSERT INTO event_sources (source, tenant_id, allowed_by) SELECT '/x', id, 'x' FROM tenants",
		"reads the audit trail":    "SELECT actor FROM audit_records LIMIT 1",
		"rewrites the audit trail": "UPDATE audit_records SET actor = 'x'",
		"removes notifications":    "DELETE FROM notifications WHERE created_at < now()",
		"reads notifications":      "SELECT data FROM notifications LIMIT 1",
		"reads revocations":        "SELECT at FROM revocations LIMIT 1",
		"revokes":                  "INSERT INTO revocations (tenant_id, user_id, at, until) VALUES ('demo', 'u', now(), now())",
		"makes a table":            "CREATE TABLE mine ()",
		"drops a table":            "DROP TABLE outbox",
		"turns a policy off":       "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
		"makes a role":             "CREATE ROLE friend",
	}
	may := map[string]string{
		"orderbell_order_api":        "reads revocations",
		"orderbell_user_api":         "reads revocations",
		"orderbell_sse_gateway":      "reads revocations",
		"orderbell_outbox_relay":     "reads the outbox",
		"orderbell_functions":        "reads users, writes event records, makes a day, reads mails, reads notifications",
		"orderbell_delivery_sweeper": "reads users, reads the outbox, removes outbox rows, drops a day, makes a day, reads mails, reads revocations, removes notifications",
		"orderbell_operator":         "reads orders, reads users, changes users, reads the outbox, reads mails, reads notifications, allows a source, reads the audit trail, reads revocations, revokes",
		"orderbell_reader":           "reads orders, reads users, reads the outbox, reads mails, reads notifications, reads the audit trail, reads revocations",
	}
	for _, role := range database.Roles() {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			pool := databasetest.Open(t, databasetest.As(t, address, role))
			if err := database.Check(t.Context(), pool); err != nil {
				t.Errorf("it cannot see the schema's version: %v", err)
			}
			allowed, known := may[role]
			if !known {
				t.Fatal("it is not in the table of this test")
			}
			for what, sql := range statements {
				err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
					_, err := tx.Exec(t.Context(), sql)
					if err == nil {
						return errRolledBack
					}
					return err
				})
				want := strings.Contains(", "+allowed+",", ", "+what+",")
				var pg *pgconn.PgError
				switch denied := errors.As(err, &pg) && pg.Code == "42501"; {
				case want && !errors.Is(err, errRolledBack):
					t.Errorf("%s: %v, want success", what, err)
				case !want && !denied:
					t.Errorf("%s: %v, want SQLSTATE 42501", what, err)
				}
			}
		})
	}
}

var errRolledBack = errors.New("rolled back")

// TestEveryTenantsTableIsForced checks what a later migration may leave out.
func TestEveryTenantsTableIsForced(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	const open = `SELECT coalesce(string_agg(c.relname, ', '), '') FROM pg_class c
		WHERE c.relnamespace = 'public'::regnamespace AND c.relrowsecurity
			AND NOT (c.relforcerowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid AND polname = 'all_tenants'))`
	if got := databasetest.One[string](t, pool, open); got != "" {
		t.Errorf("%s: want FORCE ROW LEVEL SECURITY, CREATE POLICY all_tenants … TO orderbell_all USING (true), and the grants of the programs' roles", got)
	}
}

// TestAnOwnerWithoutMembershipSeesNothing checks the effect of FORCE.
func TestAnOwnerWithoutMembershipSeesNothing(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	if _, err := pool.Exec(t.Context(), `INSERT INTO tenants (id, name) VALUES ('demo', 'Demo')`); err != nil {
		t.Fatal(err)
	}
	var n int
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `ALTER TABLE tenants OWNER TO orderbell_order_api; SET LOCAL ROLE orderbell_order_api`); err != nil {
			return err
		}
		if err := tx.QueryRow(t.Context(), `SELECT count(*) FROM tenants`).Scan(&n); err != nil {
			return err
		}
		return errRolledBack
	})
	if !errors.Is(err, errRolledBack) || n != 0 {
		t.Errorf("the owner sees %d tenants, %v", n, err)
	}
}
