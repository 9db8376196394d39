package database_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
)

// primary is a server that tests switch over: its old sessions turn read-only, its new ones do not.
type primary struct {
	address string
	admin   *pgx.Conn
}

func startPrimary(t *testing.T) *primary {
	t.Helper()
	address := databasetest.Alone(t)
	admin, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close(context.WithoutCancel(t.Context())) })
	p := &primary{address, admin}
	p.exec(t, "SET default_transaction_read_only = off")
	return p
}

func (p *primary) exec(t *testing.T, sql ...string) {
	t.Helper()
	for _, sql := range sql {
		if _, err := p.admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
}

// demoteOld turns the sessions that are open read-only; new ones can write.
func (p *primary) demoteOld(t *testing.T) {
	t.Helper()
	p.exec(t, "DO $$ BEGIN EXECUTE format('ALTER ROLE %I IN DATABASE %I SET default_transaction_read_only = off', current_user, current_database()); END $$",
		"ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
}

// demoteAll turns new sessions read-only as well, promote turns all back.
func (p *primary) demoteAll(t *testing.T) {
	t.Helper()
	p.demoteOld(t)
	p.exec(t, "DO $$ BEGIN EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET default_transaction_read_only', current_user, current_database()); END $$")
}

func (p *primary) promote(t *testing.T) {
	t.Helper()
	p.exec(t, "DO $$ BEGIN EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET default_transaction_read_only', current_user, current_database()); END $$",
		"ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
}

// openFull returns a pool whose four connections are all open and idle.
func (p *primary) openFull(t *testing.T) *database.Pool {
	t.Helper()
	cfg := databasetest.Config(p.address)
	cfg.MaxConns = 4
	pool := open(t, cfg)
	held := make([]*pgxpool.Conn, cfg.MaxConns)
	for i := range held {
		held[i] = acquire(t, pool)
	}
	for _, c := range held {
		c.Release()
	}
	return pool
}

// everyWay are the ways on which the stores write; n makes the row another one.
func everyWay() map[string]func(context.Context, *database.Pool, int) error {
	const insert = "INSERT INTO tenants (id, name) VALUES ('t' || $1::int, 'Tenant ' || $1::int)"
	return map[string]func(context.Context, *database.Pool, int) error{
		"exec": func(ctx context.Context, pool *database.Pool, n int) error {
			_, err := pool.Exec(ctx, insert, n)
			return err
		},
		"query": func(ctx context.Context, pool *database.Pool, n int) error {
			rows, err := pool.Query(ctx, insert+" RETURNING id", n)
			if err != nil {
				return err
			}
			_, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
			return err
		},
		"query row": func(ctx context.Context, pool *database.Pool, n int) error {
			var id string
			return pool.QueryRow(ctx, insert+" RETURNING id", n).Scan(&id)
		},
		"transact": func(ctx context.Context, pool *database.Pool, n int) error {
			return database.Transact(ctx, pool, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, insert, n)
				return err
			})
		},
		"collect": func(ctx context.Context, pool *database.Pool, n int) error {
			const insert = `INSERT INTO idempotency_keys (tenant_id, key, request_hash, status, body) VALUES ('acme', 'k' || $1::int, '', 200, '') RETURNING 1`
			_, err := database.CollectOne(ctx, pool, "acme", pgx.RowTo[int], insert, n)
			return err
		},
		"in tenant": func(ctx context.Context, pool *database.Pool, n int) error {
			const insert = `INSERT INTO idempotency_keys (tenant_id, key, request_hash, status, body) VALUES ('acme', 't' || $1::int, '', 200, '')`
			return database.InTenant(ctx, pool, "acme", func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, insert, n)
				return err
			})
		},
		"readiness": func(ctx context.Context, pool *database.Pool, _ int) error { return database.Ready(ctx, pool) },
	}
}

func TestAFailoverThatLeavesOldConnectionsOpen(t *testing.T) {
	t.Parallel()
	p := startPrimary(t)
	p.exec(t, "INSERT INTO tenants (id, name) VALUES ('acme', 'Acme')")
	pools := map[string]*database.Pool{}
	n := 0
	for way, write := range everyWay() {
		pools[way] = p.openFull(t)
		for range 8 { // the statements are prepared
			n++
			if err := write(t.Context(), pools[way], n); err != nil {
				t.Fatalf("%s: %v", way, err)
			}
		}
	}
	reader := p.openFull(t)
	p.demoteOld(t)
	for way, write := range everyWay() {
		for range 8 {
			n++
			if err := write(t.Context(), pools[way], n); err != nil {
				t.Errorf("%s, after the failover: %v, want no error, since new sessions can write", way, err)
			}
		}
	}
	// A program that only reads leaves the old server as well: after one answer of each connection at most.
	for range 5 {
		databasetest.One[int](t, reader, "SELECT 1")
	}
	if got := databasetest.One[string](t, reader, "SELECT current_setting('transaction_read_only')"); got != "off" {
		t.Error("a pool that only reads stays with the old server")
	}

	p.demoteAll(t)
	for way, write := range everyWay() {
		n++
		pools[way] = p.openFull(t)
		if err := database.Wrap("write", write(t.Context(), pools[way], n)); !isTemporary(err) {
			t.Errorf("%s, while every session is read-only: %v, want a temporary error", way, err)
		}
	}
	p.promote(t)
	for way, write := range everyWay() {
		n++
		if err := write(t.Context(), pools[way], n); err != nil {
			t.Errorf("%s, after the server takes writes again: %v", way, err)
		}
	}
}

func TestAConnectionThatTheServerEndedIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	cfg := databasetest.Config(databasetest.URL(t))
	cfg.MaxConns = 2
	pool := open(t, cfg)
	for _, code := range []string{"57P01", "57P02", "57P03", "57P05", "08006", "08P01", "25006"} {
		conn, other := acquire(t, pool), acquire(t, pool)
		old := map[uint32]bool{conn.Conn().PgConn().PID(): true, other.Conn().PgConn().PID(): true}
		// The server itself sends these with severity FATAL; a pooler may send them as an ERROR.
		_, err := conn.Exec(t.Context(), fmt.Sprintf("DO $$ BEGIN RAISE EXCEPTION 'ending' USING ERRCODE = '%s'; END $$", code))
		if closed := conn.Conn().IsClosed(); err == nil || !closed {
			t.Errorf("SQLSTATE %s: error %v, connection closed: %t, want true", code, err, closed)
		}
		conn.Release()
		other.Release()
		if got := databasetest.One[uint32](t, pool, "SELECT pg_backend_pid()"); old[got] {
			t.Errorf("SQLSTATE %s: the connection, or one of its age, is used again", code)
		}
	}
}

// TestAStatementThatNoLongerFitsIsSentOnceMore changes what a prepared statement is about.
func TestAStatementThatNoLongerFitsIsSentOnceMore(t *testing.T) {
	t.Parallel()
	const toText = "ALTER TABLE things ALTER COLUMN n TYPE text"
	const described = "&default_query_exec_mode=cache_describe"
	for name, tt := range map[string]struct{ statement, change, mode string }{
		"a column of another type, written":                  {"INSERT INTO things (n) VALUES ($1)", toText, ""},
		"a column of another type, compared":                 {"DELETE FROM things WHERE n = $1", toText, ""},
		"a column of another type, read":                     {"UPDATE things SET n = $1 RETURNING n", toText, ""},
		"a column of another type, written through a pooler": {"INSERT INTO things (text) VALUES ($1)", "ALTER TABLE things ALTER COLUMN text TYPE integer USING text::integer", described},
		"a statement that is not known":                      {"INSERT INTO things (n) VALUES ($1)", "DEALLOCATE ALL", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := databasetest.Config(databasetest.URL(t) + tt.mode)
			cfg.MaxConns = 1
			pool := open(t, cfg)
			exec := func(sql string, args ...any) {
				t.Helper()
				if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
					t.Errorf("%s: %v", sql, err)
				}
			}
			exec("CREATE TABLE things (n integer, text text)", pgx.QueryExecModeSimpleProtocol)
			for range 2 {
				exec(tt.statement, "1")
			}
			exec(tt.change, pgx.QueryExecModeSimpleProtocol)
			for range 2 {
				exec(tt.statement, "1")
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  *pgconn.PgError
		want bool
	}{
		{&pgconn.PgError{Code: "25006"}, true},
		{&pgconn.PgError{Code: "0A000", Message: "cached plan must not change result type"}, true},
		{&pgconn.PgError{Code: "0A000", Message: "im Cache gespeicherter Plan …", Routine: "RevalidateCachedQuery"}, true},
		{&pgconn.PgError{Code: "0A000", Message: "cannot alter type of a column used by a view or rule"}, false},
		{&pgconn.PgError{Code: "57P01"}, false}, // it may have been executed
		{&pgconn.PgError{Code: "23505"}, false},
	} {
		if got := database.Refused(fmt.Errorf("write: %w", tt.err)); got != tt.want {
			t.Errorf("%s %s: %t, want %t", tt.err.Code, tt.err.Message, got, tt.want)
		}
	}
}
