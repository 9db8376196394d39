package orderstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/event"
	"orderbell/internal/order"
	"orderbell/internal/store/database"
)

// historySQL finds the record of each change's event by its day, and joins the decisions with their results. Notified
// users come first.
const historySQL = `
SELECT c.version, c.status, c.undone, c.event_id::text, c.actor_id, c.actor_name, c.changed_at, e.event_id IS NOT NULL, (
    SELECT coalesce(json_agg(told ORDER BY told.outcome = 'suppressed', told.name, told.user_id, told.channel DESC), '[]')
    FROM (
        SELECT d.user_id, coalesce(u.name, '') AS name, d.channel, m.sent_at AS at,
            CASE WHEN m.status IN ('sent', 'failed', 'suppressed') THEN m.status
                WHEN m.status IS NULL AND d.outcome IN ('due', 'deferred') THEN 'forgotten'
                ELSE d.outcome END AS outcome,
            CASE WHEN m.status = 'sent' THEN '' ELSE coalesce(nullif(m.reason, ''), d.reason) END AS reason
        FROM jsonb_to_recordset(e.decisions) AS d (user_id uuid, channel text, outcome text, reason text)
        LEFT JOIN users u ON u.tenant_id = $1::text AND u.id = d.user_id
        LEFT JOIN email_deliveries m ON d.channel = 'email' AND m.tenant_id = $1::text AND m.event_source = e.source
            AND m.event_id = e.event_id AND m.user_id = d.user_id
        WHERE $5::text IS NULL OR d.user_id::text = $5::text
    ) AS told
)
FROM order_changes c
LEFT JOIN event_records e ON e.event_day = (c.changed_at AT TIME ZONE 'UTC')::date AND e.source = $3::text
    AND e.event_id = c.event_id AND e.tenant_id = $1::text
WHERE c.tenant_id = $1::text AND c.order_id = $2::uuid
ORDER BY c.version DESC LIMIT $4::int`

// told is an element of the statement's JSON.
type told struct {
	UserID  string        `json:"user_id"`
	Name    string        `json:"name"`
	Channel string        `json:"channel"`
	Outcome order.Outcome `json:"outcome"`
	Reason  string        `json:"reason"`
	At      time.Time     `json:"at"`
}

// History returns the latest [order.MostChanges] changes of an order, the latest first, and whether there are more.
// Unless reader is "", it only has the decisions for that user. Its error may be [order.ErrNotFound].
func (s *Store) History(ctx context.Context, tenantID, id, reader string) (changes []order.Change, more bool, err error) {
	var only any // NULL
	if reader != "" {
		only = reader
	}
	changes, err = database.Collect(ctx, s.pool, tenantID, scanChange, historySQL, tenantID, id, event.Source, order.MostChanges+1, only)
	if err != nil {
		return nil, false, database.Wrap("read history", err)
	}
	if len(changes) == 0 { // of another tenant, or older than the table of changes
		_, err := s.Get(ctx, tenantID, id)
		return nil, false, err
	}
	if len(changes) > order.MostChanges {
		return changes[:order.MostChanges], true, nil
	}
	return changes, false, nil
}

func scanChange(row pgx.CollectableRow) (order.Change, error) {
	var c order.Change
	var raw []byte
	if err := row.Scan(&c.Version, &c.Status, &c.Undone, &c.EventID, &c.ActorID, &c.ActorName, &c.At, &c.Decided, &raw); err != nil {
		return c, err
	}
	c.At = c.At.UTC()
	var all []told
	if err := json.Unmarshal(raw, &all); err != nil {
		return c, fmt.Errorf("decisions of event %s: %w", c.EventID, err)
	}
	for _, t := range all {
		t.At = t.At.UTC()
		c.Told = append(c.Told, order.Told(t))
	}
	return c, nil
}
