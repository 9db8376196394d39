package database

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// abandoned is how long the server lets a transaction wait for its client if nothing else is said.
	abandoned = time.Minute
	// grace lets a client whose ctx ends take its transaction back itself.
	grace = 5 * time.Second
)

// Begin begins a transaction that the server ends, with its locks, when its client has been silent for longer than ctx
// lasts. A client whose machine or network is gone does not say goodbye: the server would keep its locks for as long as
// TCP takes to notice, two hours by default.
//
// The limit comes with BEGIN in one round trip, and ends with the transaction, so that a pooler may stand between.
func Begin(ctx context.Context, pool *Pool) (pgx.Tx, error) {
	limit := abandoned
	if deadline, ok := ctx.Deadline(); ok {
		limit = max(time.Until(deadline), 0) + grace
	}
	return pool.BeginTx(ctx, pgx.TxOptions{
		BeginQuery: fmt.Sprintf("BEGIN; SET LOCAL idle_in_transaction_session_timeout = %d", limit.Milliseconds()),
	})
}

// Transact runs do in a transaction begun by [Begin]: all of it, or nothing if do returns an error. If the server refused
// a statement (see [Refused]), the transaction is rolled back and do runs once more, from the start.
func Transact(ctx context.Context, pool *Pool, do func(pgx.Tx) error) error {
	return twice(ctx, func() error { return pgx.BeginFunc(ctx, beginner{pool}, do) })
}

type beginner struct{ pool *Pool }

func (b beginner) Begin(ctx context.Context) (pgx.Tx, error) { return Begin(ctx, b.pool) }
