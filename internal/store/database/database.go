// Package database opens Orderbell's PostgreSQL: the pool that every store works on, the check that the schema is the one that
// a program needs, and the roles with which programs log in. Package store/schema changes the schema.
//
// Nothing here depends on session state, so PgBouncer with transaction pooling may be used: no startup parameter but
// application_name, no SET, no session locks. Only migrations need a direct connection. See [Open] for prepared
// statements.
package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Config has the address of the database and the limits of a program's use.
type Config struct {
	URL string `envconfig:"DATABASE_URL" required:"true"` // postgres://user:password@host:port/name?sslmode=…
	// MaxConns is one instance's share: instances × MaxConns of all programs stay below the server's max_connections.
	MaxConns         int32         `envconfig:"DATABASE_MAX_CONNS" default:"4"`
	ConnectTimeout   time.Duration `envconfig:"DATABASE_CONNECT_TIMEOUT" default:"5s"`
	StatementTimeout time.Duration `envconfig:"DATABASE_STATEMENT_TIMEOUT" default:"10s"` // includes the wait for a connection
}

// Open returns a pool for the program called name, which the server shows as application_name. It connects in the
// background: without the database a program is not ready, but it runs. Each statement and each wait for a connection
// ends after StatementTimeout; the server is told to cancel.
//
// Statements are prepared once per connection, unless the connection goes through a pooler, see [poolerWatch]; they take one round
// trip either way. default_query_exec_mode in DATABASE_URL overrules that: with PgBouncer 1.21 or later and its
// max_prepared_statements, cache_statement saves the server the planning, half of a small statement's time.
func Open(ctx context.Context, cfg Config, name string) (*Pool, error) {
	pc, err := parse(cfg, name)
	if err != nil {
		return nil, err
	}
	pc.MaxConns = cfg.MaxConns
	pc.MinConns = 1 // the first request after a start should not wait for a handshake
	pc.MaxConnLifetime = 30 * time.Minute
	pc.MaxConnLifetimeJitter = 5 * time.Minute // many instances that start at once must not reconnect at once
	pc.MaxConnIdleTime = 5 * time.Minute
	watch := watchForPooler(pc, !strings.Contains(cfg.URL, "default_query_exec_mode"))
	kept := &sessions{}
	kept.watch(pc)
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, Wrap("open database pool", err)
	}
	return &Pool{Pool: pool, sessions: kept, watch: watch}, nil
}

func parse(cfg Config, name string) (*pgxpool.Config, error) {
	if cfg.MaxConns < 1 {
		return nil, fmt.Errorf("DATABASE_MAX_CONNS is %d, want 1 or more", cfg.MaxConns)
	}
	if cfg.StatementTimeout <= 0 || cfg.ConnectTimeout <= 0 {
		return nil, errors.New("DATABASE_STATEMENT_TIMEOUT and DATABASE_CONNECT_TIMEOUT must be more than 0")
	}
	scheme, _, _ := strings.Cut(cfg.URL, "://")
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil || (scheme != "postgres" && scheme != "postgresql") {
		// The parser's error may contain parts of the password, so it is left out.
		return nil, errors.New("DATABASE_URL is not of the form postgres://user:password@host:port/name " +
			"(special characters of the password are percent-encoded)")
	}
	pc.ConnConfig.ConnectTimeout = cfg.ConnectTimeout
	pc.ConnConfig.RuntimeParams["application_name"] = name
	pc.ConnConfig.Tracer = deadline{cfg.StatementTimeout}
	return pc, nil
}

// ConnConfig returns the settings of one connection, without a bound on its statements. The server knows it by name.
func ConnConfig(cfg Config, name string) (*pgx.ConnConfig, error) {
	pc, err := parse(cfg, name)
	if err != nil {
		return nil, err
	}
	pc.ConnConfig.Tracer = nil
	return pc.ConnConfig, nil
}

// deadline bounds every statement and every wait for a connection. It is enforced on the client, because PgBouncer
// refuses statement_timeout as a startup parameter, and one set later would leak to the connection's next user.
type deadline struct{ after time.Duration }

type cancelKey struct{}

func (d deadline) start(ctx context.Context) context.Context {
	ctx, cancel := context.WithTimeout(ctx, d.after)
	return context.WithValue(ctx, cancelKey{}, cancel)
}

func (d deadline) end(ctx context.Context) {
	if cancel, ok := ctx.Value(cancelKey{}).(context.CancelFunc); ok {
		cancel()
	}
}

// The hooks of pgx's tracers. Their contexts apply to the statement.

func (d deadline) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return d.start(ctx)
}

func (d deadline) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	d.end(ctx)
}

func (d deadline) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return d.start(ctx)
}

func (d deadline) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (d deadline) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchEndData) {
	d.end(ctx)
}

func (d deadline) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	return d.start(ctx)
}

func (d deadline) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireEndData) {
	d.end(ctx)
}

// TemporaryError is a temporary failure: the server is down, starting, full or failing over, or another transaction
// conflicted. HTTP answers it with 503.
type TemporaryError struct{ err error }

func (e *TemporaryError) Error() string { return e.err.Error() }

func (e *TemporaryError) Unwrap() error { return e.err }

// Temporary is read by internal/problem and functions/internal/receiver, which do not import this package.
func (e *TemporaryError) Temporary() bool { return true }

// Wrap adds the operation to err, and converts it to a *[TemporaryError] if it is temporary. A nil err stays nil.
func Wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	wrapped := fmt.Errorf("%s: %w", doing, err)
	if connect := new(pgconn.ConnectError); errors.As(err, &connect) {
		wrapped = &unreachableError{doing, err}
	}
	if isTemporary(err) {
		return &TemporaryError{wrapped}
	}
	return wrapped
}

// unreachableError is a connection that failed, in one line: pgconn has a line for each address, often the same.
type unreachableError struct {
	doing string
	err   error
}

func (e *unreachableError) Error() string {
	lines := strings.Split(strings.TrimSpace(e.err.Error()), "\n")
	return e.doing + ": the database cannot be reached: " + strings.TrimSpace(lines[len(lines)-1]) + "; check DATABASE_URL"
}

func (e *unreachableError) Unwrap() error { return e.err }

func isTemporary(err error) bool {
	// SQLSTATEs and classes of them (PostgreSQL, appendix A) that are temporary.
	temporaryCodes := [...]string{
		"08",                      // connection exceptions, PgBouncer's among them
		"53",                      // too many connections, out of memory or disk
		"57P01", "57P02", "57P03", // shutdown, crash, not yet up
		"57014",          // cancelled: StatementTimeout or an administrator
		"25P03",          // silent for longer than Begin allows
		"40001", "40P01", // serialization failure, deadlock
		"55P03", // lock not available
		"25006", // read-only: a failover has made this server a standby
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		for _, code := range temporaryCodes {
			if strings.HasPrefix(pg.Code, code) {
				return true
			}
		}
		return false
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) || pgconn.Timeout(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
}
