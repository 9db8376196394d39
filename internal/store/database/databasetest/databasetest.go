// Package databasetest gives each test its own PostgreSQL database with the complete schema.
//
// The server is that of DATABASE_URL, whose role must be allowed to create databases. Without DATABASE_URL a server is started,
// which ends with the test process. A migrated template is created once, and each test's database is a copy of it.
package databasetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/dev/embedded"
	"orderbell/internal/store/database"
	"orderbell/internal/store/schema"
	"orderbell/migrations"
)

// Names of databases start with prefix and the hour of their creation, so that old ones can be dropped from a server that stays.
const (
	prefix  = "orderbelltest_"
	staleIn = 6 * time.Hour // longer than any test runs
)

// copyStrategy copies files instead of logging every page: a quarter of the time where nothing is synced to disk.
const copyStrategy = " STRATEGY FILE_COPY"

// patience is generous, since a machine may run many packages' tests at once.
const patience = 2 * time.Minute

// server is where this process's test databases live.
type server struct {
	url      *url.URL // the maintenance database
	template string
}

// The one server of this process. It is never stopped here: no code runs when the last test has ended, so it ends
// with the process.
//
//nolint:gochecknoglobals // a server per test would take seconds each
var shared = sync.OnceValues(start)

// New returns a pool on a new database with the whole schema. It is closed and dropped when the test ends. Without a
// server the test fails.
func New(tb testing.TB) *database.Pool {
	tb.Helper()
	return Open(tb, URL(tb))
}

// Open returns one more pool on a database of [URL], closed when the test ends.
func Open(tb testing.TB, address string) *database.Pool {
	tb.Helper()
	pool, err := database.Open(context.Background(), Config(address), tb.Name())
	if err != nil {
		tb.Fatalf("open test database: %v", err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

// One returns the value of a query that has one row of one column.
func One[T any](tb testing.TB, pool *database.Pool, sql string, args ...any) T {
	tb.Helper()
	var v T
	if err := pool.QueryRow(tb.Context(), sql, args...).Scan(&v); err != nil {
		tb.Fatal(err)
	}
	return v
}

// Config returns the configuration of a program under test that uses the database at address.
func Config(address string) database.Config {
	const conns = 8 // more than production's share, since tests cause high load
	return database.Config{URL: address, MaxConns: conns, ConnectTimeout: patience, StatementTimeout: patience}
}

// URL returns the address, as DATABASE_URL takes it, of a new database with the whole schema. It is dropped when the
// test ends.
func URL(tb testing.TB) string {
	tb.Helper()
	s, err := shared()
	if err != nil {
		tb.Fatalf("no PostgreSQL for tests: %v", err)
	}
	return s.create(tb, " TEMPLATE "+pgx.Identifier{s.template}.Sanitize()+copyStrategy)
}

// EmptyURL returns the address of a new database without any schema, dropped when the test ends.
func EmptyURL(tb testing.TB) string {
	tb.Helper()
	s, err := shared()
	if err != nil {
		tb.Fatalf("no PostgreSQL for tests: %v", err)
	}
	return s.create(tb, "")
}

// Alone returns the address of a database with the whole schema on a server of its own, for tests that change the server
// itself. It ends with the test.
func Alone(tb testing.TB) string {
	tb.Helper()
	p, err := embedded.StartPostgres(context.Background(), embedded.PostgresOptions{NoSync: true, Settings: map[string]string{"shared_buffers": "32MB"}})
	if err != nil {
		tb.Fatalf("start a PostgreSQL of its own: %v", err)
	}
	tb.Cleanup(func() {
		if err := p.Stop(); err != nil {
			tb.Errorf("stop the test's PostgreSQL: %v", err)
		}
	})
	if err := schema.Up(context.Background(), Config(p.URL()), nil); err != nil {
		tb.Fatalf("migrate the test's PostgreSQL: %v", err)
	}
	return p.URL()
}

// As returns the address of the test's database for a program's role (see [database.Roles]).
func As(tb testing.TB, address, role string) string {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	u.User = url.UserPassword(role, rolePassword)
	return u.String()
}

const rolePassword = "of the tests"

func (s *server) create(tb testing.TB, how string) string {
	tb.Helper()
	name := newName("")
	if err := s.admin(context.Background(), "CREATE DATABASE "+name+how); err != nil {
		tb.Fatalf("create test database: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.admin(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Errorf("drop test database: %v", err)
		}
	})
	return s.at(name)
}

func (s *server) at(name string) string {
	u := *s.url
	u.Path = "/" + name
	return u.String()
}

// admin runs one statement in the maintenance database.
func (s *server) admin(ctx context.Context, sql string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	_, err = conn.Exec(ctx, sql)
	return err
}

func newName(kind string) string {
	return prefix + kind + strconv.FormatInt(time.Now().Unix()/3600, 10) + "_" + strings.ToLower(rand.Text()[:12])
}

func start() (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	address, lasting := os.Getenv("DATABASE_URL"), true
	if address == "" {
		p, err := embedded.StartPostgres(ctx, embedded.PostgresOptions{NoSync: true, Settings: map[string]string{
			"max_connections": "400",
			"shared_buffers":  "32MB",
			"autovacuum":      "off",  // databases live for a second
			"max_wal_size":    "64MB", // it may all be memory
		}})
		if err != nil {
			return nil, err
		}
		address, lasting = p.URL(), false
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("DATABASE_URL is not a URL")
	}
	s := &server{url: u}
	return s, s.prepare(ctx, lasting)
}

// prepare makes the template if it is not there: under another name first, so that it is whole wherever it is seen.
func (s *server) prepare(ctx context.Context, lasting bool) (err error) {
	if s.template, err = templateName(); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, s.url.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }() // releases the lock too
	const lock = 0x6f7264657262656c                            // "orderbel": one maker at a time on a shared server
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(lock)); err != nil {
		return fmt.Errorf("lock the template: %w", err)
	}
	if lasting {
		if err := sweep(ctx, conn); err != nil {
			return err
		}
	}
	var there bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", s.template).Scan(&there); err != nil || there {
		return err
	}
	half := newName("half_")
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+half); err != nil {
		return fmt.Errorf("create the template: %w", err)
	}
	if err := schema.Up(ctx, Config(s.at(half)), nil); err != nil {
		return fmt.Errorf("migrate the template: %w", err)
	}
	passwords := map[string]string{}
	for _, role := range database.Roles() {
		passwords[role] = rolePassword
	}
	if err := database.SetLogins(ctx, Config(s.at(half)), passwords); err != nil {
		return fmt.Errorf("let the roles log in: %w", err)
	}
	if _, err := conn.Exec(ctx, "ALTER DATABASE "+half+" RENAME TO "+s.template); err != nil {
		return fmt.Errorf("name the template: %w", err)
	}
	return nil
}

// templateName depends on all migrations and on the day, since they make partitions from today on.
func templateName() (string, error) {
	sum := sha256.New()
	files, err := fs.Glob(migrations.Files, "*.sql")
	if err != nil {
		return "", err
	}
	for _, name := range files {
		b, err := fs.ReadFile(migrations.Files, name)
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprintf(sum, "%s %d\n%s", name, len(b), b)
	}
	day := time.Now().UTC().Truncate(24 * time.Hour)
	return prefix + "template_" + strconv.FormatInt(day.Unix()/3600, 10) + "_" + hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

// sweep drops what killed test processes left on a server that lives on.
func sweep(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", prefix)
	if err != nil {
		return fmt.Errorf("sweep test databases: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("sweep test databases: %w", err)
	}
	for _, name := range names {
		parts := strings.Split(name, "_")
		hour, err := strconv.ParseInt(parts[max(0, len(parts)-2)], 10, 64)
		age := time.Since(time.Unix(hour*3600, 0))
		if strings.Contains(name, "_template_") {
			age -= 24 * time.Hour // it is named for a day
		}
		if err != nil || age < staleIn {
			continue
		}
		_, err = conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize())
		if database.Violates(err, "55006") { // in use, so not stale
			continue
		}
		if err != nil {
			return fmt.Errorf("sweep test databases: %w", err)
		}
	}
	return nil
}
