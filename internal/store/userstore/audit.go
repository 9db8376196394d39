package userstore

import (
	"context"
	_ "embed"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/store/database"
	"orderbell/internal/user"
)

//go:embed refusals.sql
var refusalsSQL string

// maxRefusals bounds the rows of different refusals per tenant and day; the others are counted in one row per action.
const maxRefusals = 1000

// AddRefusals counts refusals of one tenant, or of [user.NoTenant].
func (s *Store) AddRefusals(ctx context.Context, tenantID string, all []user.Record) error {
	n := len(all)
	actions, actors, addresses, details, times := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]int64, n)
	for i, r := range all {
		actions[i], actors[i], addresses[i], details[i], times[i] = r.Action, r.Actor, r.Address, r.Detail, r.Times
	}
	err := database.InTenant(ctx, s.pool, tenantID, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, refusalsSQL, tenantID, maxRefusals, actions, actors, addresses, details, times)
		return err
	})
	return database.Wrap("count refusals", err)
}

// Records returns the latest records of the tenant, or of all for "", from the newest to the oldest. It is for operators.
func (s *Store) Records(ctx context.Context, tenantID string, since time.Time, most int) (found []user.Record, err error) {
	const sql = `
		(SELECT tenant_id, at, actor, action, target, address, outcome, detail, times FROM audit_records
			WHERE ($1 = '' OR tenant_id = $1) AND at >= $2 ORDER BY id DESC LIMIT $3)
		UNION ALL
		(SELECT tenant_id, last_at, actor, action, '', address, 'refused', detail, times FROM refusals
			WHERE ($1 = '' OR tenant_id = $1) AND last_at >= $2 ORDER BY last_at DESC LIMIT $3)
		ORDER BY 2 DESC LIMIT $3`
	err = database.Transact(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, seeAll); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, sql, tenantID, since, most)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByPos[user.Record])
		return err
	})
	return found, database.Wrap("read audit records", err)
}

// addRecord writes to the audit trail, in the transaction of the recorded action. Values that are too long are cut, because they must
// not stop the action.
func addRecord(ctx context.Context, tx pgx.Tx, r user.Record) error {
	const sql = `INSERT INTO audit_records (tenant_id, actor, action, target, address, outcome, detail, times)
		VALUES ($1, left($2, 300), $3, left($4, 300), left($5, 64), $6, left($7, 1000), greatest($8, 1))`
	_, err := tx.Exec(ctx, sql, r.TenantID, r.Actor, r.Action, r.Target, r.Address, r.Outcome, r.Detail, r.Times)
	return err
}

// Record writes actions to the audit trail that needed no change of the database. It is for operators.
func (s *Store) Record(ctx context.Context, all ...user.Record) error {
	err := database.Transact(ctx, s.pool, func(tx pgx.Tx) error {
		for _, r := range all {
			if err := addRecord(ctx, tx, r); err != nil {
				return err
			}
		}
		return nil
	})
	return database.Wrap("write audit records", err)
}

// ForgetRecords removes at most limit records of changes that are older than before, and returns how many it removed.
func (s *Store) ForgetRecords(ctx context.Context, before time.Time, limit int) (int64, error) {
	const sql = `DELETE FROM audit_records WHERE id IN (SELECT id FROM audit_records WHERE at < $1 ORDER BY at LIMIT $2)`
	tag, err := s.pool.Exec(ctx, sql, before, limit)
	return tag.RowsAffected(), database.Wrap("forget audit records", err)
}

// ForgetRefusals removes at most limit refusals of days before then, and returns how many it removed.
func (s *Store) ForgetRefusals(ctx context.Context, before time.Time, limit int) (int64, error) {
	const sql = `DELETE FROM refusals WHERE ctid = ANY (ARRAY(SELECT ctid FROM refusals WHERE day < $1 LIMIT $2))`
	tag, err := s.pool.Exec(ctx, sql, before.UTC(), limit)
	return tag.RowsAffected(), database.Wrap("forget refusals", err)
}
