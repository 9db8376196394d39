package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"orderbell/migrations"
)

// Migration is one step of the schema.
type Migration struct {
	Version uint
	Name    string // such as create_orders
}

// Migrations returns every step that this program was built with, from the first.
func Migrations() []Migration {
	names, _ := fs.Glob(migrations.Files, "*.up.sql") // fails only for a bad pattern
	var all []Migration
	for _, file := range names {
		number, name, _ := strings.Cut(strings.TrimSuffix(file, ".up.sql"), "_")
		if v, err := strconv.ParseUint(number, 10, 32); err == nil {
			all = append(all, Migration{Version: uint(v), Name: name})
		}
	}
	slices.SortFunc(all, func(a, b Migration) int { return int(a.Version) - int(b.Version) })
	return all
}

// Latest returns the schema version that this program needs.
func Latest() uint {
	all := Migrations()
	return all[len(all)-1].Version
}

// Status is the schema version of a database.
type Status struct {
	Version uint // 0: no step was ever applied
	Dirty   bool // a step was interrupted; it may be complete or not
	Pending []Migration
}

// complete returns the last version that is certainly complete.
func (s Status) complete() uint {
	if s.Dirty && s.Version > 0 {
		return s.Version - 1
	}
	return s.Version
}

// SchemaError is a schema that is too old for the program.
type SchemaError struct {
	Status
	Needs uint
}

func (e *SchemaError) Error() string {
	if e.Dirty {
		return fmt.Sprintf("schema version %d is marked as cut off, this program needs %d: run `orderbell migrate up`",
			e.Version, e.Needs)
	}
	return fmt.Sprintf("schema version is %d, this program needs %d: run `orderbell migrate up`", e.Version, e.Needs)
}

// Permanent is read by internal/service, which does not import this package: waiting is useless without a migration.
func (e *SchemaError) Permanent() bool { return true }

// Check returns nil if the database answers and has the schema that this program needs, or a later one: migrations run
// before programs are replaced, so old programs meet new schemas. Otherwise the error is a *[SchemaError] or from
// [Wrap].
func Check(ctx context.Context, pool *Pool) error {
	status, err := status(ctx, pool)
	if err != nil {
		return Wrap("check schema version", err)
	}
	if status.complete() < Latest() {
		return &SchemaError{Status: status, Needs: Latest()}
	}
	return nil
}

// Ready is [Check] for a program that writes: its sessions must be writable as well. A read-only session is replaced,
// together with all of the same age or older, and the check is repeated once. So an idle program finds the new primary
// by itself.
func Ready(ctx context.Context, pool *Pool) error {
	err := writable(ctx, pool)
	if Refused(err) {
		err = writable(ctx, pool)
	}
	if err != nil {
		return Wrap("check that the database takes writes", err)
	}
	return Check(ctx, pool)
}

func writable(ctx context.Context, pool *Pool) error {
	return pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		var readOnly bool
		if err := conn.QueryRow(ctx, "SELECT current_setting('transaction_read_only')::bool").Scan(&readOnly); err != nil {
			return err
		}
		if !readOnly {
			return nil
		}
		pool.sessions.retireOf(conn.Conn())
		return &pgconn.PgError{Severity: "ERROR", Code: "25006", Message: "the session is read-only: is this server a standby?"}
	})
}

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func status(ctx context.Context, db querier) (Status, error) {
	var s Status
	var version int64
	err := db.QueryRow(ctx, "SELECT version, dirty FROM schema_migrations").Scan(&version, &s.Dirty)
	switch {
	case errors.Is(err, pgx.ErrNoRows): // every step was undone
	case Violates(err, undefinedTable): // undefined_table: no step was ever applied
	case err != nil:
		return s, err
	default:
		s.Version = uint(max(version, 0))
	}
	for _, m := range Migrations() {
		if m.Version > s.Version {
			s.Pending = append(s.Pending, m)
		}
	}
	return s, nil
}

// MigrationStatus returns the schema version of the database of cfg. It is read-only.
func MigrationStatus(ctx context.Context, cfg Config) (s Status, err error) {
	pc, err := parse(cfg, "orderbell-migrate")
	if err != nil {
		return Status{}, err
	}
	conn, err := pgx.ConnectConfig(ctx, pc.ConnConfig)
	if err != nil {
		return Status{}, Wrap("read schema version", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	s, err = status(ctx, conn)
	return s, Wrap("read schema version", err)
}
