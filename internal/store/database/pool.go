package database

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Pool is a pool of connections that survives a failover and a change of the schema: a connection that cannot succeed
// again is never reused (see [sessions]), and a statement that the server refused without executing it is repeated
// once, on a new connection.
//
// [Pool.Query], [Pool.QueryRow], [Pool.Exec], [Collect] and [Transact] repeat. [Begin] does not, because its caller may
// have used results. A caller that has not can use [Refused] and begin again.
type Pool struct {
	*pgxpool.Pool
	sessions *sessions
	watch    *poolerWatch
}

// Refused reports whether the server refused a statement without executing it, for a reason that a new connection does
// not have: the session was read-only, or its prepared statement no longer fits the schema.
func Refused(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case readOnlyTransaction: // this server has become a standby
		return true
	case "26000": // the prepared statement is unknown to this server process
		return true
	case "0A000": // feature_not_supported has other reasons too
		return pg.Routine == "RevalidateCachedQuery" || pg.Message == "cached plan must not change result type"
	case "42804", "42883": // the type of a column, and so of a parameter, has changed since it was prepared
		return true
	}
	return false
}

// twice runs do, and repeats it once if the server refused it.
func (p *Pool) twice(ctx context.Context, do func() error) error {
	err := do()
	if !Refused(err) || ctx.Err() != nil {
		return err
	}
	if Violates(err, readOnlyTransaction) && p.watch.found.Load() == pooler {
		p.dropReadOnly(ctx)
	}
	return do()
}

// mostDropped bounds what one statement costs a pooler if no server can write.
const mostDropped = 8

// dropReadOnly makes a transaction pooler close its connections to a server that has become a standby. The pooler keeps such a
// connection, and gives it to new clients too, until a client leaves within a transaction. It gives the connection that was used last.
func (p *Pool) dropReadOnly(ctx context.Context) {
	for range mostDropped {
		conn, err := p.Acquire(ctx)
		if err != nil {
			return
		}
		var readOnly string
		tx, err := conn.Begin(ctx)
		if err == nil {
			err = tx.QueryRow(ctx, "SHOW transaction_read_only").Scan(&readOnly)
		}
		if err != nil || readOnly == "off" {
			if tx != nil {
				_ = tx.Rollback(ctx)
			}
			conn.Release()
			return
		}
		_ = conn.Hijack().Close(ctx)
	}
}

// Exec is [pgxpool.Pool.Exec], repeated once if the server refused it.
func (p *Pool) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	err = p.twice(ctx, func() error {
		tag, err = p.Pool.Exec(ctx, sql, args...)
		return err
	})
	return tag, err
}

// Query is [pgxpool.Pool.Query], repeated once if the server refused it. It returns after the first row has arrived.
func (p *Pool) Query(ctx context.Context, sql string, args ...any) (found pgx.Rows, err error) {
	err = p.twice(ctx, func() error {
		rows, err := p.Pool.Query(ctx, sql, args...)
		if err != nil {
			found = rows
			return err
		}
		first := &firstRead{Rows: rows, first: rows.Next()}
		found = first
		if !first.first {
			return rows.Err()
		}
		return nil
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return found, nil // as in pgx, the caller gets it from Rows.Err
	}
	return found, err
}

// QueryRow is [pgxpool.Pool.QueryRow], repeated once if the server refused it.
func (p *Pool) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := p.Query(ctx, sql, args...)
	return row{rows, err}
}

// firstRead is a result whose first row has already been read.
type firstRead struct {
	pgx.Rows
	first bool // Next has not been called
}

func (r *firstRead) Next() bool {
	if r.first {
		r.first = false
		return true
	}
	return r.Rows.Next()
}

// row implements pgx.Row for the first row of a result.
type row struct {
	rows pgx.Rows
	err  error
}

func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}
