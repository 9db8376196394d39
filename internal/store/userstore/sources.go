package userstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/store/database"
	"orderbell/internal/user"
)

// Sources returns which order services may publish events of which tenants, by source and tenant. Only the tables' owner may call it.
func (s *Store) Sources(ctx context.Context) (found []user.Source, err error) {
	rows, err := s.pool.Query(ctx, `SELECT source, tenant_id, allowed_at, allowed_by FROM event_sources ORDER BY source, tenant_id`)
	if err == nil {
		found, err = pgx.CollectRows(rows, pgx.RowToStructByPos[user.Source])
	}
	return found, database.Wrap("read sources", err)
}

// AllowSource permits events of the source for the tenant, and writes an audit record of the actor. It returns whether this is
// new. Only the tables' owner may call it. Errors: [user.ErrNoTenant].
func (s *Store) AllowSource(ctx context.Context, source, tenantID, actor string) (changed bool, err error) {
	if err := s.HasTenant(ctx, tenantID); err != nil {
		return false, err
	}
	const sql = `INSERT INTO event_sources (source, tenant_id, allowed_by) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
	return s.changeSource(ctx, "source.allowed", source, tenantID, actor, sql, source, tenantID, actor)
}

// RemoveSource removes that permission, and returns whether it existed.
func (s *Store) RemoveSource(ctx context.Context, source, tenantID, actor string) (changed bool, err error) {
	return s.changeSource(ctx, "source.removed", source, tenantID, actor, `DELETE FROM event_sources WHERE source = $1 AND tenant_id = $2`, source, tenantID)
}

func (s *Store) changeSource(ctx context.Context, action, source, tenantID, actor, sql string, args ...any) (changed bool, err error) {
	err = database.Transact(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sql, args...)
		if changed = tag.RowsAffected() > 0; err != nil || !changed {
			return err
		}
		return addRecord(ctx, tx, user.Record{TenantID: tenantID, Actor: actor, Action: action, Target: "source:" + source, Outcome: user.Done})
	})
	return changed, database.Wrap("change sources", err)
}
