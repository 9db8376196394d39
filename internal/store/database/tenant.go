package database

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// asTenant limits the rest of its transaction to one tenant: it sets the role of the HTTP APIs, for which the policies
// of row-level security show only that tenant's rows. Both settings end with the transaction, so that a connection, or
// a pooler's server connection, belongs to no tenant after it.
const asTenant = `SELECT set_config('role', 'orderbell_api', true), set_config('orderbell.tenant', $1, true)`

// Collect runs one statement in a transaction of the tenant's and returns its rows. It takes one round trip: both
// statements are sent together and the server commits after them.
func Collect[T any](ctx context.Context, pool *Pool, tenantID string, scan pgx.RowToFunc[T], sql string, args ...any) (found []T, err error) {
	err = pool.twice(ctx, func() error {
		found, err = collect(ctx, pool, tenantID, scan, sql, args)
		return err
	})
	return found, err
}

func collect[T any](ctx context.Context, pool *Pool, tenantID string, scan pgx.RowToFunc[T], sql string, args []any) (found []T, err error) {
	batch := &pgx.Batch{}
	batch.Queue(asTenant, tenantID)
	batch.Queue(sql, args...)
	results := pool.SendBatch(ctx, batch)
	defer func() {
		if closed := results.Close(); err == nil {
			err = closed // only the end shows whether it was committed
		}
	}()
	if _, err := results.Exec(); err != nil {
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// CollectOne is [Collect] for a statement of one row. Without a row the error is [pgx.ErrNoRows].
func CollectOne[T any](ctx context.Context, pool *Pool, tenantID string, scan pgx.RowToFunc[T], sql string, args ...any) (T, error) {
	found, err := Collect(ctx, pool, tenantID, scan, sql, args...)
	switch {
	case err != nil || len(found) == 1:
	case len(found) == 0:
		err = pgx.ErrNoRows
	default:
		err = pgx.ErrTooManyRows
	}
	if err != nil {
		var none T
		return none, err
	}
	return found[0], nil
}

// InTenant runs do in a transaction of the tenant, for work that needs several statements.
func InTenant(ctx context.Context, pool *Pool, tenantID string, do func(pgx.Tx) error) error {
	return Transact(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, asTenant, tenantID); err != nil {
			return err
		}
		return do(tx)
	})
}
