package eventstore

import (
	"context"

	"orderbell/internal/event"
	"orderbell/internal/store/database"
)

// SourceAllowed reports whether events of the source may be about the tenant. Orderbell's own source may send events
// about any tenant.
func (s *Store) SourceAllowed(ctx context.Context, source, tenantID string) (allowed bool, err error) {
	if source == event.Source {
		return true, nil
	}
	const sql = `SELECT EXISTS (SELECT FROM event_sources WHERE source = $1 AND tenant_id = $2)`
	err = s.pool.QueryRow(ctx, sql, source, tenantID).Scan(&allowed)
	return allowed, database.Wrap("read the source's tenants", err)
}
