package database

import (
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATEs (PostgreSQL, appendix A) that stores tell apart.
const (
	NotNull        = "23502"
	ForeignKey     = "23503"
	Unique         = "23505"
	Checked        = "23514" // a CHECK, or no partition for the row
	LockNotFree    = "55P03"
	Deadlock       = "40P01"
	Serialization  = "40001"
	undefinedTable = "42P01"

	readOnlyTransaction = "25006"
)

// Violates reports whether PostgreSQL rejected a statement with one of the SQLSTATEs.
func Violates(err error, states ...string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && slices.Contains(states, pg.Code)
}

// Constraint returns the name of the constraint or the unique index that a statement violated, "" if it was none.
func Constraint(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.ConstraintName
	}
	return ""
}
