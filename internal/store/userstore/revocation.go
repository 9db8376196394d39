package userstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/auth"
	"orderbell/internal/store/database"
	"orderbell/internal/user"
)

// KeepRevocation stores r until it expires, with an audit record. An existing revocation of the same user or token is only extended.
// It is for operators.
func (s *Store) KeepRevocation(ctx context.Context, r auth.Revocation, by user.Record) error {
	const sql = `INSERT INTO revocations AS k (tenant_id, user_id, token_id, at, until) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant_id, user_id, token_id) DO UPDATE SET at = greatest(k.at, excluded.at), until = greatest(k.until, excluded.until)`
	err := database.Transact(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, seeAll); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sql, r.TenantID, r.UserID, r.TokenID, r.At, r.Until); err != nil {
			return err
		}
		return addRecord(ctx, tx, by)
	})
	return database.Wrap("keep revocation", err)
}

// Revocations returns the revocations of all tenants that have not expired. It implements [orderbell/internal/rights.Source].
func (s *Store) Revocations(ctx context.Context) ([]auth.Revocation, error) {
	rows, err := s.pool.Query(ctx, `SELECT tenant_id, user_id, token_id, at, until FROM revocations WHERE until > now()`)
	if err != nil {
		return nil, database.Wrap("read revocations", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r auth.Revocation, err error) {
		err = row.Scan(&r.TenantID, &r.UserID, &r.TokenID, &r.At, &r.Until)
		return r, err
	})
	return all, database.Wrap("read revocations", err)
}

// ForgetRevocations removes at most limit revocations that expired before then, and returns how many it removed.
func (s *Store) ForgetRevocations(ctx context.Context, before time.Time, limit int) (int64, error) {
	const sql = `DELETE FROM revocations WHERE (tenant_id, user_id, token_id) IN
		(SELECT tenant_id, user_id, token_id FROM revocations WHERE until < $1 LIMIT $2)`
	tag, err := s.pool.Exec(ctx, sql, before, limit)
	return tag.RowsAffected(), database.Wrap("forget revocations", err)
}
