package database_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/schema"
)

func open(t *testing.T, cfg database.Config) *database.Pool {
	t.Helper()
	pool, err := database.Open(t.Context(), cfg, "order-api")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func isTemporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

func TestOpenRefusesABadConfig(t *testing.T) {
	t.Parallel()
	good := databasetest.Config("postgres://u:secret@127.0.0.1:1/db")
	for name, c := range map[string]struct {
		change func(*database.Config)
		want   string
	}{
		"no URL at all":          {func(c *database.Config) { c.URL = "secret" }, "DATABASE_URL is not of the form"},
		"another scheme":         {func(c *database.Config) { c.URL = "mysql://u:secret@h/db" }, "DATABASE_URL is not of the form"},
		"keywords":               {func(c *database.Config) { c.URL = "host=h password=secret" }, "DATABASE_URL is not of the form"},
		"a slash in a password":  {func(c *database.Config) { c.URL = "postgres://u:sec/ret@h/db" }, "DATABASE_URL is not of the form"},
		"an unknown mode":        {func(c *database.Config) { c.URL += "?default_query_exec_mode=secret" }, "DATABASE_URL is not of the form"},
		"no connections":         {func(c *database.Config) { c.MaxConns = 0 }, "DATABASE_MAX_CONNS is 0, want 1 or more"},
		"no time for statements": {func(c *database.Config) { c.StatementTimeout = 0 }, "DATABASE_STATEMENT_TIMEOUT"},
		"no time to connect":     {func(c *database.Config) { c.ConnectTimeout = -1 }, "DATABASE_CONNECT_TIMEOUT"},
	} {
		cfg := good
		c.change(&cfg)
		pool, err := database.Open(t.Context(), cfg, "order-api")
		if err == nil {
			pool.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "sec") {
			t.Errorf("%s: error is %v, want …%s… without the password", name, err, c.want)
		}
		if _, err := database.MigrationStatus(t.Context(), cfg); err == nil {
			t.Errorf("%s: the migration status takes it", name)
		}
	}
}

func TestOpenNamesTheProgram(t *testing.T) {
	t.Parallel()
	pool := open(t, databasetest.Config(databasetest.URL(t)))
	if got := databasetest.One[string](t, pool, "SHOW application_name"); got != "order-api" {
		t.Errorf("application_name is %s", got)
	}
}

func TestAServerThatIsAway(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := databasetest.Config("postgres://u:secret@" + host + "/db")
	_, statusErr := database.MigrationStatus(t.Context(), cfg)
	for call, err := range map[string]error{
		"check":  database.Check(t.Context(), open(t, cfg)),
		"status": statusErr,
		"up":     schema.Up(t.Context(), cfg, nil),
		"down":   schema.Down(t.Context(), cfg, 1, nil),
	} {
		if err == nil || !isTemporary(err) || !strings.Contains(err.Error(), host) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error is %v, want a temporary one that names %s and no password", call, err, host)
		}
	}
}

// acquire waits for a connection longer than the pool does: the statements before have closed the last connection, and a busy
// machine needs time to open another.
func acquire(t *testing.T, pool *database.Pool) *pgxpool.Conn {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		c, err := pool.Acquire(t.Context())
		if err == nil {
			return c
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestAStatementThatTakesTooLong(t *testing.T) {
	t.Parallel()
	cfg := databasetest.Config(databasetest.URL(t))
	slow := open(t, cfg)
	cfg.StatementTimeout = 300 * time.Millisecond
	cfg.MaxConns = 1
	pool := open(t, cfg)
	const sleep = "SELECT count(*) FROM (SELECT pg_sleep(600)) AS _"
	var batch pgx.Batch
	batch.Queue(sleep)
	_, execErr := pool.Exec(t.Context(), sleep)
	for call, err := range map[string]error{
		"exec":  execErr,
		"query": pool.QueryRow(t.Context(), sleep+" WHERE $1", true).Scan(new(int)),
		"batch": pool.SendBatch(t.Context(), &batch).Close(),
	} {
		if wrapped := database.Wrap("sleep", err); err == nil || !isTemporary(wrapped) {
			t.Errorf("%s: error is %v, want a temporary one", call, wrapped)
		}
	}
	held := acquire(t, pool)
	if _, err := pool.Exec(t.Context(), "SELECT 1"); !isTemporary(database.Wrap("wait", err)) {
		t.Errorf("waiting for a connection: error is %v, want a temporary one", err)
	}
	held.Release()
	// The server was told to cancel: no statement runs on.
	deadline := time.Now().Add(time.Minute)
	for databasetest.One[int](t, slow, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND datname = current_database() AND query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()") > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the server still runs a statement that was given up")
		}
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	if err := database.Wrap("do nothing", nil); err != nil {
		t.Errorf("nil becomes %v", err)
	}
	for code, want := range map[string]bool{
		"08006": true, "53300": true, "57P01": true, "57P03": true, "57014": true, "40001": true, "40P01": true, "55P03": true,
		"25006": true, "25P03": true, "23505": false, "42P01": false, "22001": false, "57P04": false,
	} {
		cause := &pgconn.PgError{Code: code}
		err := database.Wrap("try", cause)
		if isTemporary(err) != want {
			t.Errorf("SQLSTATE %s is temporary: %t, want %t", code, !want, want)
		}
		if !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), "try: ") {
			t.Errorf("SQLSTATE %s becomes %v", code, err)
		}
	}
	for err, want := range map[error]bool{
		io.EOF: true, io.ErrUnexpectedEOF: true, context.DeadlineExceeded: true, &net.OpError{Op: "read", Err: io.EOF}: true,
		pgx.ErrNoRows: false, context.Canceled: false, errors.New("other"): false,
	} {
		if isTemporary(database.Wrap("try", err)) != want {
			t.Errorf("%v is temporary: %t, want %t", err, !want, want)
		}
	}
}

// fakePooler passes connections on to the server and, as a pooler does, makes up the cancel key. It counts the round
// trips: how often the server was ready again.
func fakePooler(t *testing.T, address string, trips *atomic.Int64) string {
	t.Helper()
	return inFront(t, address, func(client net.Conn, server string) { forward(client, server, trips) })
}

// inFront returns an address of the database that leads through pass.
func inFront(t *testing.T, address string, pass func(client net.Conn, server string)) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	server := u.Host
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go pass(client, server)
		}
	}()
	u.Host = l.Addr().String()
	return u.String()
}

func forward(client net.Conn, server string, trips *atomic.Int64) {
	defer func() { _ = client.Close() }()
	back, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", server)
	if err != nil {
		return
	}
	defer func() { _ = back.Close() }()
	go func() { _, _ = io.Copy(back, client); _ = back.Close() }()
	from, to := pgproto3.NewFrontend(back, back), pgproto3.NewBackend(client, client)
	for {
		msg, err := from.Receive()
		if err != nil {
			return
		}
		switch msg := msg.(type) {
		case *pgproto3.BackendKeyData:
			msg.ProcessID++
		case *pgproto3.ReadyForQuery:
			trips.Add(1)
		}
		to.Send(msg)
		if to.Flush() != nil {
			return
		}
	}
}

func TestStatementsAreNotPreparedBehindAPooler(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	pooled := fakePooler(t, address, new(atomic.Int64))
	for name, c := range map[string]struct {
		address string
		want    int // statements that the server keeps for the connection, this one included
	}{
		"the server itself":                   {address, 2},
		"a pooler":                            {pooled, 0},
		"a pooler that can do it":             {pooled + "&default_query_exec_mode=cache_statement", 2},
		"the server, switched off in the URL": {address + "&default_query_exec_mode=exec", 0},
	} {
		cfg := databasetest.Config(c.address)
		cfg.MaxConns = 1
		pool := open(t, cfg)
		databasetest.One[int](t, pool, "SELECT 1 WHERE $1", true)
		got := databasetest.One[int](t, pool, "SELECT count(*) FROM pg_prepared_statements WHERE $1", true)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
