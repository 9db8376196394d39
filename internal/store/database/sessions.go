package database

import (
	"context"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// sessions decides which connections of a pool may be reused. After a failover with a virtual address, a DNS name or a
// pooler, old connections may stay open to the old server, while new ones reach the new server. So when one connection
// is read-only, all of the same age or older are replaced before their next use. The same happens after a change of the
// schema, because of prepared statements. A connection is closed when the server announces its end.
type sessions struct {
	generation atomic.Int64 // counts how often all connections were retired
}

// session is the state of one connection.
type session struct {
	generation int64
	writable   bool // when it began
}

const sessionKey = "orderbell session"

// watch adds the decisions to the hooks of pc. It must be called last.
func (s *sessions) watch(pc *pgxpool.Config) {
	before, prepare := pc.BeforeConnect, pc.PrepareConn
	pc.BeforeConnect = func(ctx context.Context, cc *pgx.ConnConfig) error {
		// Read before the connection is made, so that it counts as old if it is retired meanwhile.
		s.observe(&cc.Config, s.generation.Load())
		if before != nil {
			return before(ctx, cc)
		}
		return nil
	}
	pc.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
		if !s.usable(conn.PgConn()) {
			return false, nil
		}
		if prepare != nil {
			return prepare(ctx, conn)
		}
		return true, nil
	}
}

// observe watches the errors of a new connection.
func (s *sessions) observe(cc *pgconn.Config, generation int64) {
	validate, onError := cc.ValidateConnect, cc.OnPgError
	cc.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		conn.CustomData()[sessionKey] = session{generation: generation, writable: !readOnly(conn)}
		if validate != nil {
			return validate(ctx, conn)
		}
		return nil
	}
	cc.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		if Refused(err) {
			s.retire(generation)
			return false
		}
		if ended(err) {
			s.retire(generation) // the others are retired too
			return false
		}
		return onError == nil || onError(conn, err)
	}
}

// retire replaces all connections of a generation before they are used again.
func (s *sessions) retire(generation int64) { s.generation.CompareAndSwap(generation, generation+1) }

// retireOf retires the generation of a connection.
func (s *sessions) retireOf(conn *pgx.Conn) {
	if of, ok := conn.PgConn().CustomData()[sessionKey].(session); ok {
		s.retire(of.generation)
	}
}

func (s *sessions) usable(conn *pgconn.PgConn) bool {
	of, ok := conn.CustomData()[sessionKey].(session)
	if !ok {
		return true
	}
	if of.writable && readOnly(conn) {
		s.retire(of.generation)
	}
	return of.generation >= s.generation.Load()
}

// readOnly reports whether the server announced that it is read-only (PostgreSQL 14 or later).
func readOnly(conn *pgconn.PgConn) bool {
	return conn.ParameterStatus("in_hot_standby") == "on" || conn.ParameterStatus("default_transaction_read_only") == "on"
}

// ended reports whether the server, or a pooler in between, ends the connection with err.
func ended(err *pgconn.PgError) bool {
	return strings.HasPrefix(err.Code, "08") || strings.HasPrefix(err.Code, "57P0")
}
