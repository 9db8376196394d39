package auditstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/audit"
)

// Sent returns a page of the events that were sent from from up to, not including, to, in the order of their sending. The
// page begins after the event after, the zero one at first. A page of less than limit events is the last.
func (s *Store) Sent(ctx context.Context, from, to time.Time, after audit.Sent, limit int) (events []audit.Sent, err error) {
	const query = `
WITH page AS (
    SELECT id, event_id, source, type, tenant_id, order_id, occurred_at, traceparent, tracestate, data, sent_at FROM outbox
    WHERE sent_at >= $1 AND sent_at < $2 AND (sent_at, id) > ($3, $4) ORDER BY sent_at, id LIMIT $5
)
SELECT id, event_id::text, source, type, tenant_id, order_id::text, occurred_at, traceparent, tracestate, data, sent_at,
    (SELECT min(r.received_at) FROM event_records r
     WHERE r.event_id = p.event_id AND r.source = p.source AND r.event_day = (p.occurred_at AT TIME ZONE 'UTC')::date)
FROM page p ORDER BY sent_at, id`
	err = s.page(ctx, "sent events", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, query, from, to, after.SentAt, after.Position, limit)
		if err != nil {
			return err
		}
		events, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (audit.Sent, error) {
			var e audit.Sent
			var recorded *time.Time
			err := row.Scan(&e.Position, &e.ID, &e.Source, &e.Type, &e.TenantID, &e.OrderID, &e.Time, &e.TraceParent, &e.TraceState, &e.Raw,
				&e.SentAt, &recorded)
			e.RecordedAt = orZero(recorded)
			return e, err
		})
		return err
	})
	return events, err
}
