package database

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// poolerWatch finds out whether a pool's connections lead to the server or to a pooler such as PgBouncer. Behind a
// transaction pooler each transaction may meet another server process, where a prepared statement is unknown or
// another one. A pooler shows itself by its cancel key: it makes up the process id in it, the server does not.
//
// The first connection prepares statements; if it turns out to lead to a pooler, it is replaced before anybody uses it.
type poolerWatch struct{ found atomic.Int32 }

// What a poolerWatch has found.
const (
	unknown int32 = iota
	server
	pooler
)

// unsuited marks a connection that would prepare statements behind a pooler.
const unsuited = "orderbell unsuited"

func watchForPooler(pc *pgxpool.Config) {
	w := &poolerWatch{}
	pc.BeforeConnect = w.beforeConnect
	pc.AfterConnect = w.afterConnect
	pc.PrepareConn = func(_ context.Context, conn *pgx.Conn) (bool, error) {
		return conn.PgConn().CustomData()[unsuited] == nil, nil
	}
}

func (w *poolerWatch) beforeConnect(_ context.Context, cc *pgx.ConnConfig) error {
	if w.found.Load() == pooler {
		// The unnamed statement lives for one message sequence, which a pooler keeps together.
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
	if w.found.Load() == pooler && conn.Config().DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		conn.PgConn().CustomData()[unsuited] = true
	}
	return nil
}
