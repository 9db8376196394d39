// Package verdicts stores the results of `orderbell verify` for status and alerts.
package verdicts

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/audit"
	"orderbell/internal/store/database"
)

// Store is safe for concurrent use.
type Store struct{ pool *database.Pool }

// New returns a store on the pool.
func New(pool *database.Pool) *Store { return &Store{pool: pool} }

// keep is how many verdicts stay: two years of nights.
const keep = 730

// Save keeps v and removes the oldest verdicts beyond [keep].
func (s *Store) Save(ctx context.Context, v audit.Verdict) error {
	const insert = `
WITH saved AS (
    INSERT INTO verdicts (began_at, ended_at, since, until, offenders, skipped) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id
)
DELETE FROM verdicts WHERE id <= (SELECT id - $7 FROM saved)`
	skipped := v.Skipped
	if skipped == nil {
		skipped = []string{}
	}
	_, err := s.pool.Exec(ctx, insert, v.BeganAt, v.EndedAt, v.Since, v.Until, v.Offenders, skipped, keep)
	return database.Wrap("save the verdict", err)
}

// Last returns the newest verdict, or false without one.
func (s *Store) Last(ctx context.Context) (v audit.Verdict, ok bool, err error) {
	const last = `SELECT began_at, ended_at, since, until, offenders, skipped FROM verdicts ORDER BY id DESC LIMIT 1`
	err = s.pool.QueryRow(ctx, last).Scan(&v.BeganAt, &v.EndedAt, &v.Since, &v.Until, &v.Offenders, &v.Skipped)
	if errors.Is(err, pgx.ErrNoRows) {
		return audit.Verdict{}, false, nil
	}
	return v, err == nil, database.Wrap("read the last verdict", err)
}
