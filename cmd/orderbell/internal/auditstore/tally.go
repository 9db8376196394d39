package auditstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/audit"
	"orderbell/internal/user"
)

// Tally counts the events of w by the step that they have reached. Events of other publishers are not counted: they have no row in
// the outbox.
func (s *Store) Tally(ctx context.Context, w audit.Watched) (t audit.Tally, err error) {
	const events = `
WITH tenants AS (SELECT * FROM unnest($1::text[], $2::timestamptz[]) AS t (id, loaded)),
seen AS (SELECT DISTINCT unnest($4::uuid[]) AS event_id),
made AS (
    SELECT EXISTS (SELECT FROM event_records r WHERE r.event_id = o.event_id AND r.source = o.source) AS applied,
        s.event_id IS NOT NULL OR o.created_at < t.loaded AS seen
    FROM outbox o JOIN tenants t ON t.id = o.tenant_id LEFT JOIN seen s ON s.event_id = o.event_id
    WHERE o.created_at >= $3
)
SELECT count(*), count(*) FILTER (WHERE applied), count(*) FILTER (WHERE seen), count(*) FILTER (WHERE NOT (applied AND seen)),
    (SELECT count(*) FROM notifications WHERE tenant_id = ANY($1) AND created_at >= $3)
FROM made`
	const mails = `
SELECT count(*), count(*) FILTER (WHERE status = 'sent'), count(*) FILTER (WHERE status = 'due' AND reason = $3),
    count(*) FILTER (WHERE status IN ('failed', 'suppressed'))
FROM email_deliveries WHERE tenant_id = ANY($1) AND created_at >= $2`
	err = s.page(ctx, "how far events have come", func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, events, w.Tenants, w.Loaded, w.Since, w.Seen).Scan(&t.Made, &t.InInbox, &t.Seen, &t.Apart, &t.Notifications)
		if err != nil {
			return err
		}
		return tx.QueryRow(ctx, mails, w.Tenants, w.Since, user.ByQuietHours).Scan(&t.Mails, &t.Mailed, &t.Deferred, &t.GivenUp)
	})
	return t, err
}
