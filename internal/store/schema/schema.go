// Package schema applies and undoes the steps of the database schema. Programs that only check the schema's version use
// database.Check, and so link no migration library.
package schema

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"time"

	"github.com/golang-migrate/migrate/v4"
	migratedb "github.com/golang-migrate/migrate/v4/database"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"orderbell/internal/backoff"
	"orderbell/internal/store/database"
	"orderbell/migrations"
)

// Up applies every pending step, and calls applied (may be nil) after each. Several may run at once; they wait
// for each other. A step and its version are one transaction: a step that fails, or whose program is killed, is applied
// as a whole or not at all. When ctx ends, the step under way is finished first.
//
// If a program before release 0.2 left a step marked dirty, Up applies it, or detects that it is complete.
func Up(ctx context.Context, cfg database.Config, applied func(database.Migration)) error {
	return run(ctx, cfg, 1, len(database.Migrations()), applied)
}

// Down undoes at most the last n steps, and calls undone (may be nil) after each. The data in tables that a step
// created are lost.
func Down(ctx context.Context, cfg database.Config, n int, undone func(database.Migration)) error {
	return run(ctx, cfg, -1, n, undone)
}

const (
	// migrateLock is how long one migration waits for another, such as two replicas of a Job, and a step for its tables.
	migrateLock = 5 * time.Minute
	// lockPause lets the programs work before a step retries to lock its tables.
	lockPause = time.Second
)

// migrator runs the steps on one database.
type migrator struct {
	*migrate.Migrate
	driver    *atomicDriver
	mayBeDone int // how many of the next steps may be complete already, because the version was marked dirty
}

func run(ctx context.Context, cfg database.Config, direction, most int, done func(database.Migration)) (err error) {
	m, err := openMigrator(cfg)
	if err != nil {
		return err
	}
	defer func() {
		sourceErr, driverErr := m.Close()
		err = errors.Join(err, sourceErr, driverErr)
	}()
	if err := m.settle(direction); err != nil {
		return err
	}
	for range most {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		more, err := m.patiently(ctx, direction, done)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

func openMigrator(cfg database.Config) (*migrator, error) {
	conn, err := database.ConnConfig(cfg, "orderbell-migrate") // without a bound: a step may take longer than a statement of the programs
	if err != nil {
		return nil, err
	}
	conn.DefaultQueryExecMode = pgx.QueryExecModeExec // the schema changes, so statements are not prepared
	source, err := iofs.New(migrations.Files, ".")
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	db := stdlib.OpenDB(*conn)
	driver, err := migratepgx.WithInstance(db, &migratepgx.Config{})
	if err != nil {
		return nil, database.Wrap("open database for migration", errors.Join(err, db.Close()))
	}
	atomic := &atomicDriver{Driver: driver}
	m, err := migrate.NewWithInstance("embedded", source, "pgx5", atomic)
	if err != nil {
		return nil, fmt.Errorf("prepare migrations: %w", errors.Join(err, driver.Close()))
	}
	m.LockTimeout = migrateLock
	return &migrator{Migrate: m, driver: atomic}, nil
}

// settle looks for the mark of a step that was cut off: that step is next then.
func (m *migrator) settle(direction int) error {
	version, dirty, err := m.driver.Version() // golang-migrate's own method hides the mark of the first step
	if err != nil {
		return database.Wrap("read schema version", err)
	}
	if !dirty {
		return nil
	}
	// An unknown version belongs to a newer program, and undoing a step needs the current version.
	if direction < 0 || version > int(database.Latest()) {
		return &database.SchemaError{Status: database.Status{Version: uint(max(version, 0)), Dirty: true}, Needs: database.Latest()}
	}
	m.mayBeDone = 2 // the step to this version, or the undo of the one after it
	m.driver.mends = true
	return nil
}

// patiently runs one step. A step that cannot lock its tables in time is rolled back and retried.
func (m *migrator) patiently(ctx context.Context, direction int, done func(database.Migration)) (bool, error) {
	for giveUp := time.Now().Add(migrateLock); ; {
		more, err := m.step(direction, done)
		if !database.Violates(err, database.LockNotFree) || time.Now().After(giveUp) {
			return more, err
		}
		if !backoff.Sleep(ctx, backoff.Jitter(lockPause)) {
			return false, err
		}
	}
}

// step applies or undoes one step, and returns false if no step is left.
func (m *migrator) step(direction int, done func(database.Migration)) (bool, error) {
	before, _, err := m.Version()
	if err != nil && !errors.Is(err, migrate.ErrNilVersion) {
		return false, database.Wrap("read schema version", err)
	}
	err = unwrapDriver(m.Steps(direction))
	var short migrate.ErrShortLimit
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &short) || errors.Is(err, migrate.ErrNoChange) {
		return false, nil
	}
	if m.mayBeDone > 0 && isThere(err) {
		m.mayBeDone--
		m.driver.done = false
		return true, database.Wrap("note the step that was done", m.Force(int(next(before))))
	}
	if err != nil {
		return false, database.Wrap("migrate from schema version "+strconv.FormatUint(uint64(before), 10), err)
	}
	m.mayBeDone--
	after, _, err := m.Version()
	if err != nil && !errors.Is(err, migrate.ErrNilVersion) { // the first step was undone
		return false, database.Wrap("read schema version", err)
	}
	if done != nil {
		done(find(max(before, after)))
	}
	return true, nil
}

// unwrapDriver lets errors.As find the server's error in the driver's error, which does not unwrap.
func unwrapDriver(err error) error {
	var driver migratedb.Error
	if errors.As(err, &driver) {
		return fmt.Errorf("%w (%s)", driver.OrigErr, position(driver))
	}
	return err
}

func position(err migratedb.Error) string {
	if err.Line == 0 {
		return "in the step"
	}
	return fmt.Sprintf("in line %d of the step", err.Line)
}

// previous returns the version before another one, for golang-migrate.
func previous(version int) int {
	all := database.Migrations()
	i := slices.IndexFunc(all, func(m database.Migration) bool { return int(m.Version) == version })
	if i < 1 {
		return migratedb.NilVersion
	}
	return int(all[i-1].Version)
}

// next returns the version that follows another one; 0 is followed by the first.
func next(version uint) uint {
	for _, m := range database.Migrations() {
		if m.Version > version {
			return m.Version
		}
	}
	return version
}

func find(version uint) database.Migration {
	all := database.Migrations()
	if i := slices.IndexFunc(all, func(m database.Migration) bool { return m.Version == version }); i >= 0 {
		return all[i]
	}
	return database.Migration{Version: version}
}
