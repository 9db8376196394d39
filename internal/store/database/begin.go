package database

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// abandoned is the default limit of an idle transaction on the server.
	abandoned = time.Minute
	// grace lets a client whose ctx ends roll back its transaction itself.
	grace = 5 * time.Second
)

// Begin begins a transaction that the server aborts, and releases its locks, when the client is silent for longer than
// the deadline of ctx. If the client's machine or network fails, the server would otherwise keep the locks until TCP
// notices, two hours by default.
//
// The limit is set with BEGIN in one round trip, and ends with the transaction, so it works through a pooler.
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
	return pool.twice(ctx, func() error { return pgx.BeginFunc(ctx, beginner{pool}, do) })
}

type beginner struct{ pool *Pool }

func (b beginner) Begin(ctx context.Context) (pgx.Tx, error) { return Begin(ctx, b.pool) }
