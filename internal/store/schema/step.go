package schema

import (
	"fmt"
	"io"
	"strings"

	migratedb "github.com/golang-migrate/migrate/v4/database"

	"orderbell/internal/store/database"
)

// atomicDriver makes golang-migrate's driver run a step and write its version in one transaction. golang-migrate itself
// writes the version as dirty, runs the step, and writes it as clean: if the program dies meanwhile, the server
// completes the step, and the mark stays. With this driver a step is complete or absent, and no mark is needed.
type atomicDriver struct {
	migratedb.Driver
	target int  // the version that the step under way leads to
	done   bool // the step has run and written target
	mends  bool // a version that is marked as interrupted counts as the one before it
}

// Version returns the version that the next step starts from. The mark of an interrupted step stays in the database until that step
// is complete, so a program that is killed during the repair changes nothing.
func (d *atomicDriver) Version() (version int, dirty bool, err error) {
	version, dirty, err = d.Driver.Version()
	if err == nil && dirty && d.mends {
		return previous(version), false, nil
	}
	return version, dirty, err
}

// lockPatience bounds how long a step waits for a table lock, because the programs' statements wait after it. The step
// is then rolled back and retried, see run.
const lockPatience = "3s"

// SetVersion records the step under way; the step itself writes the version.
func (d *atomicDriver) SetVersion(version int, dirty bool) error {
	if dirty {
		d.target, d.done = version, false
		return nil
	}
	if d.done && d.target == version {
		return nil
	}
	return d.Driver.SetVersion(version, false)
}

// Run sends the step and its version together: the server runs several statements in one message as one transaction.
func (d *atomicDriver) Run(step io.Reader) error {
	text, err := io.ReadAll(step)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.Write(text)
	fmt.Fprintf(&b, "\n;SELECT set_config('lock_timeout', '0', true);\nDELETE FROM schema_migrations;\n")
	if d.target >= 0 {
		fmt.Fprintf(&b, "INSERT INTO schema_migrations (version, dirty) VALUES (%d, false);\n", d.target)
	}
	// On the step's first line, so that line numbers in errors are those of the step.
	if err := d.Driver.Run(strings.NewReader("SELECT set_config('lock_timeout', '" + lockPatience + "', true); " + b.String())); err != nil {
		return err
	}
	d.done = true
	return nil
}

// isThere reports whether a step failed because it is already complete: it creates an existing object, or changes a
// removed one. A step is one transaction, so it is complete or absent.
func isThere(err error) bool {
	return database.Violates(err,
		"42P07", "42701", "42710", "42P06", "42723", // a table, column, object, schema or function exists
		"42P01", "42703", "42704", "42883") // an object that is to be changed does not exist
}
