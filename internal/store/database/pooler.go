package database

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// poolerWatch detects whether a pool's connections reach the server directly or a pooler such as PgBouncer. With a
// transaction pooler each transaction may use another server process, where a prepared statement is unknown or a
// different one. A pooler is recognised by its cancel key: its process id is not the server's.
//
// The first connection prepares statements; if it reaches a pooler, it is replaced before it is used.
type poolerWatch struct {
	found  atomic.Int32
	adapts bool // the result decides whether statements are prepared; otherwise the URL decides
}

// Results of a poolerWatch.
const (
	unknown int32 = iota
	server
	pooler
)

// unsuited marks a connection that would prepare statements through a pooler.
const unsuited = "orderbell unsuited"

func watchForPooler(pc *pgxpool.Config, adapts bool) *poolerWatch {
	w := &poolerWatch{adapts: adapts}
	pc.BeforeConnect = w.beforeConnect
	pc.AfterConnect = w.afterConnect
	pc.PrepareConn = func(_ context.Context, conn *pgx.Conn) (bool, error) {
		return conn.PgConn().CustomData()[unsuited] == nil, nil
	}
	return w
}

func (w *poolerWatch) beforeConnect(_ context.Context, cc *pgx.ConnConfig) error {
	if w.adapts && w.found.Load() == pooler {
		// The unnamed statement lives for one message sequence, which a pooler sends to one server process.
		cc.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	return nil
}

func (w *poolerWatch) afterConnect(ctx context.Context, conn *pgx.Conn) error {
	if w.found.Load() == unknown {
		var pid uint32
		if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeSimpleProtocol).Scan(&pid); err != nil {
			return fmt.Errorf("look for a connection pooler: %w", err)
		}
		found := server
		if pid != conn.PgConn().PID() {
			found = pooler
		}
		w.found.CompareAndSwap(unknown, found)
	}
	if w.adapts && w.found.Load() == pooler && conn.Config().DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		conn.PgConn().CustomData()[unsuited] = true
	}
	return nil
}
