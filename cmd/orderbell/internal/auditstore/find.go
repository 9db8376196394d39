package auditstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/audit"
	"orderbell/internal/text"
)

// Named returns the ids of the newest orders with the reference, at most limit, the newest first. An empty tenantID stands for
// every tenant.
func (s *Store) Named(ctx context.Context, tenantID, reference string, limit int) (ids []string, err error) {
	const query = `
SELECT o.id::text FROM tenants t CROSS JOIN LATERAL (
    SELECT id, created_at FROM orders WHERE tenant_id = t.id AND reference = $2 AND reference <> ''
    ORDER BY reference, created_at DESC, id DESC LIMIT $3
) o
WHERE $1 IN ('', t.id)
ORDER BY o.created_at DESC, o.id DESC LIMIT $3`
	rows, err := s.pool.Query(ctx, query, tenantID, text.Normal(reference), limit)
	if err == nil {
		ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		return nil, fmt.Errorf("find orders with reference %s: %w", reference, err)
	}
	return ids, nil
}

// Events returns what is known of the events of an order, in the order of their versions.
func (s *Store) Events(ctx context.Context, orderID string) (events []audit.Traced, err error) {
	const query = `
SELECT event_id::text, coalesce(r.type, o.type), coalesce(r.tenant_id, o.tenant_id), coalesce(r.order_id, o.order_id)::text,
    coalesce(nullif(r.traceparent, ''), o.traceparent, ''), coalesce(r.data->>'reference', '')
FROM (SELECT * FROM event_records WHERE order_id = $1) r FULL JOIN (SELECT * FROM outbox WHERE order_id = $1) o USING (event_id)
ORDER BY coalesce(r.occurred_at, o.occurred_at), event_id`
	rows, err := s.pool.Query(ctx, query, orderID)
	if err == nil {
		events, err = pgx.CollectRows(rows, pgx.RowToStructByPos[audit.Traced])
	}
	if err != nil {
		return nil, fmt.Errorf("read the events of order %s: %w", orderID, err)
	}
	return events, nil
}

// EventOfMail returns the ids of the event that the mail is about, and of the user who gets it. Both are "" if the mail is unknown
// or not about an order.
func (s *Store) EventOfMail(ctx context.Context, mailID string) (eventID, userID string, err error) {
	const query = `SELECT event_id::text, user_id::text FROM email_deliveries WHERE id = $1 AND order_id IS NOT NULL`
	err = s.pool.QueryRow(ctx, query, mailID).Scan(&eventID, &userID)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", "", fmt.Errorf("read mail %s: %w", mailID, err)
	}
	return eventID, userID, nil
}
