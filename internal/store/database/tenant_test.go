package database_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
)

// twoTenants returns the address of a database in which acme and other have one order and one user each.
func twoTenants(t *testing.T) string {
	t.Helper()
	address := databasetest.URL(t)
	const rows = `
		INSERT INTO tenants (id, name) VALUES ('acme', 'Acme'), ('other', 'Other');
		INSERT INTO users (id, tenant_id, email, roles)
			SELECT gen_random_uuid(), id, 'owner@' || id || '.example', '{owner}' FROM tenants;
		INSERT INTO orders (id, tenant_id, status, total_amount, currency, created_at, updated_at)
			SELECT gen_random_uuid(), id, 'submitted', 1, 'EUR', now(), now() FROM tenants;
		INSERT INTO idempotency_keys (tenant_id, key, request_hash, status, body) SELECT id, 'k', '', 200, '' FROM tenants;
		INSERT INTO notifications (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data)
			SELECT gen_random_uuid(), tenant_id, id, '/', gen_random_uuid(), 'order_paid', gen_random_uuid(), '{}' FROM users;
		INSERT INTO optouts (id, tenant_id, user_id, expires_at) SELECT gen_random_uuid(), tenant_id, id, now() FROM users;
		INSERT INTO tenant_limits (tenant_id, max_users) SELECT id, 7 FROM tenants;
		INSERT INTO order_changes (tenant_id, order_id, version, status, event_id, total_amount, currency, changed_at)
			SELECT tenant_id, id, 1, status, gen_random_uuid(), total_amount, currency, created_at FROM orders;
		INSERT INTO event_records (event_day, source, event_id, type, tenant_id, order_id, order_version, data_hash, data, occurred_at)
			SELECT now()::date, '/', gen_random_uuid(), '', tenant_id, id, 1, '', '{}', now() FROM orders;
		INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, message_id)
			SELECT gen_random_uuid(), tenant_id, id, '/', gen_random_uuid(), '', gen_random_uuid(), '{}', id::text FROM users`
	if _, err := databasetest.Open(t, address).Exec(t.Context(), rows, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	return address
}

func as[T any](t *testing.T, pool *database.Pool, tenant, sql string, args ...any) ([]T, error) {
	t.Helper()
	return database.Collect(t.Context(), pool, tenant, pgx.RowTo[T], sql, args...)
}

func TestATenantIsAlone(t *testing.T) {
	t.Parallel()
	pool := databasetest.Open(t, twoTenants(t))
	t.Run("it sees only its own rows, also by a query without a condition", func(t *testing.T) {
		t.Parallel()
		const all = `SELECT 'tenants ' || id FROM tenants UNION ALL SELECT 'users ' || tenant_id FROM users
			UNION ALL SELECT 'orders ' || tenant_id FROM orders UNION ALL SELECT 'keys ' || tenant_id FROM idempotency_keys
			UNION ALL SELECT 'notifications ' || tenant_id FROM notifications UNION ALL SELECT 'optouts ' || tenant_id FROM optouts
			UNION ALL SELECT 'limits ' || tenant_id FROM tenant_limits UNION ALL SELECT 'changes ' || tenant_id FROM order_changes
			UNION ALL SELECT 'records ' || tenant_id FROM event_records UNION ALL SELECT 'mails ' || tenant_id FROM email_deliveries ORDER BY 1`
		got, err := as[string](t, pool, "acme", all)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"changes acme", "keys acme", "limits acme", "mails acme", "notifications acme", "optouts acme", "orders acme", "records acme", "tenants acme", "users acme"}, got); diff != "" {
			t.Error(diff)
		}
		for _, nobody := range []string{"", "nobody", "ACME"} {
			if got, err := as[string](t, pool, nobody, all); err != nil || len(got) != 0 {
				t.Errorf("tenant %q sees %v, error %v, want nothing", nobody, got, err)
			}
		}
	})
	t.Run("it changes only its own rows", func(t *testing.T) {
		t.Parallel()
		pool := databasetest.Open(t, twoTenants(t)) // the other tests need the rows
		for _, sql := range []string{
			"UPDATE users SET name = 'x' RETURNING tenant_id", "UPDATE orders SET reference = 'x' RETURNING tenant_id",
			"UPDATE notifications SET read_at = now() RETURNING tenant_id", "DELETE FROM users RETURNING tenant_id",
		} {
			if got, err := as[string](t, pool, "acme", sql); err != nil || len(got) != 1 || got[0] != "acme" {
				t.Errorf("%s changed rows of %v, error %v, want one of acme", sql, got, err)
			}
		}
	})
	t.Run("it cannot change the tenant of a row, use tables that are not for the APIs, or delete", func(t *testing.T) {
		t.Parallel()
		for _, sql := range []string{
			"UPDATE users SET tenant_id = 'other' RETURNING 1",
			"INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at) VALUES (0, gen_random_uuid(), '', '', 'other', gen_random_uuid(), '', now())",
			"INSERT INTO optouts (id, tenant_id, user_id, expires_at) SELECT gen_random_uuid(), 'other', id, now() FROM users",
			"INSERT INTO audit_records (tenant_id, actor, action, outcome) VALUES ('other', 'x', 'x', 'done')",
			"SELECT 1 FROM audit_records", "UPDATE audit_records SET actor = 'x'", "DELETE FROM audit_records",
			"UPDATE tenant_limits SET max_users = 9", "DELETE FROM tenant_limits", "SELECT 1 FROM outbox", "SELECT data::text FROM event_records", "SELECT message_id FROM email_deliveries", "UPDATE email_deliveries SET status = 'due'",
			"UPDATE order_changes SET actor_id = 'x'", "DELETE FROM order_changes",
			"INSERT INTO order_changes (tenant_id, order_id, version, status, event_id, total_amount, currency, changed_at) VALUES ('other', gen_random_uuid(), 1, '', gen_random_uuid(), 0, '', now())",
			"SELECT 1 FROM schema_migrations",
			"DELETE FROM orders", "DELETE FROM optouts", "UPDATE optouts SET used_at = now()", "UPDATE notifications SET user_id = user_id", "UPDATE tenants SET name = 'x'",
			"INSERT INTO tenants (id, name) VALUES ('third', 'x')", "CREATE TABLE mine ()",
		} {
			_, err := as[int](t, pool, "acme", sql)
			var pg *pgconn.PgError
			if !errors.As(err, &pg) || pg.Code != "42501" { // insufficient_privilege, a broken policy too
				t.Errorf("%s: %v, want SQLSTATE 42501", sql, err)
			}
		}
	})
	t.Run("a transaction of several statements is no other", func(t *testing.T) {
		t.Parallel()
		var got []string
		err := database.InTenant(t.Context(), pool, "other", func(tx pgx.Tx) error {
			rows, err := tx.Query(t.Context(), "SELECT tenant_id || ' ' || current_user FROM orders")
			if err != nil {
				return err
			}
			got, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"other orderbell_api"}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEveryTableOfTheAPIsHasAPolicy(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	const open = `SELECT coalesce(string_agg(c.relname, ', '), '') FROM pg_class c
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
			AND has_any_column_privilege('orderbell_api', c.oid, 'SELECT, INSERT, UPDATE')
			AND NOT (c.relrowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid))`
	if got := databasetest.One[string](t, pool, open); got != "" {
		t.Errorf("without a policy: %s", got)
	}
}

func TestATenantsStatement(t *testing.T) {
	t.Parallel()
	address := twoTenants(t)
	var trips atomic.Int64
	pooled := fakePooler(t, address, &trips)
	for name, address := range map[string]string{"prepared": pooled + "&default_query_exec_mode=cache_statement", "behind a pooler": pooled} {
		cfg := databasetest.Config(address)
		cfg.MaxConns = 1
		pool := open(t, cfg)
		count := func() {
			t.Helper()
			if got, err := as[int](t, pool, "acme", "SELECT count(*) FROM orders WHERE reference = $1", ""); err != nil || got[0] != 1 {
				t.Fatalf("%s: %v orders, error %v, want 1", name, got, err)
			}
		}
		count() // learns the statements
		before := trips.Load()
		count()
		if got := trips.Load() - before; got != 1 {
			t.Errorf("%s: %d round trips, want 1", name, got)
		}
		// The connection belongs to no tenant afterwards, also after a statement that failed.
		if _, err := as[int](t, pool, "acme", "SELECT 1 / (SELECT 0 FROM orders)"); err == nil || !strings.Contains(err.Error(), "division") {
			t.Errorf("%s: error is %v, want a division by zero", name, err)
		}
		if got := databasetest.One[bool](t, pool, "SELECT session_user = current_user AND current_setting('orderbell.tenant', true) = ''"); !got {
			t.Errorf("%s: the connection still has a tenant", name)
		}
		if got := databasetest.One[int](t, pool, "SELECT count(*) FROM orders WHERE reference = $1", ""); got != 2 {
			t.Errorf("%s: the owner sees %d orders, want 2", name, got)
		}
	}
}
