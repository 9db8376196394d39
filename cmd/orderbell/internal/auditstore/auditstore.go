// Package auditstore reads what happened to an event, across the tables of all programs. It is read-only. The commands
// verify and explain use it.
package auditstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/audit"
	"orderbell/internal/event"
	"orderbell/internal/store/database"
)

// Store is safe for concurrent use.
type Store struct{ pool *database.Pool }

// New returns a store on the pool.
func New(pool *database.Pool) *Store { return &Store{pool: pool} }

// Outgoing returns the events of an order that the outbox still holds, in their order.
func (s *Store) Outgoing(ctx context.Context, orderID string) ([]event.Outgoing, error) {
	const query = `SELECT id, event_id::text, source, type, tenant_id, order_id::text, occurred_at, traceparent, tracestate, data
		FROM outbox WHERE order_id = $1 ORDER BY id`
	rows, err := s.pool.Query(ctx, query, orderID)
	if err != nil {
		return nil, fmt.Errorf("read the outbox of order %s: %w", orderID, err)
	}
	events, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (event.Outgoing, error) {
		var o event.Outgoing
		err := row.Scan(&o.Position, &o.ID, &o.Source, &o.Type, &o.TenantID, &o.OrderID, &o.Time, &o.TraceParent, &o.TraceState, &o.Raw)
		return o, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the outbox of order %s: %w", orderID, err)
	}
	return events, nil
}

// Trail returns what has happened to the event so far.
func (s *Store) Trail(ctx context.Context, eventID string) (audit.Trail, error) {
	var t audit.Trail
	// One transaction on one snapshot, so that all rows of an event are consistent.
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return read(ctx, tx, eventID, &t)
	})
	if err != nil {
		return audit.Trail{}, fmt.Errorf("read the trail of event %s: %w", eventID, err)
	}
	return t, nil
}

func read(ctx context.Context, tx pgx.Tx, eventID string, t *audit.Trail) error {
	var sent, received *time.Time
	err := tx.QueryRow(ctx, `SELECT sent_at FROM outbox WHERE event_id = $1`, eventID).Scan(&sent)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	err = tx.QueryRow(ctx, `SELECT count(*), min(received_at) FROM event_records WHERE event_id = $1`, eventID).
		Scan(&t.Records, &received)
	if err != nil {
		return err
	}
	t.SentAt, t.ReceivedAt = orZero(sent), orZero(received)
	rows, err := tx.Query(ctx, `SELECT user_id::text FROM notifications WHERE event_id = $1 ORDER BY 1`, eventID)
	if err != nil {
		return err
	}
	if t.Notified, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return err
	}
	rows, err = tx.Query(ctx, `SELECT user_id::text, status, reason, attempt, sent_at
		FROM email_deliveries WHERE event_id = $1 ORDER BY 1`, eventID)
	if err != nil {
		return err
	}
	t.Mails, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (audit.Delivery, error) {
		var m audit.Delivery
		var at *time.Time
		err := row.Scan(&m.UserID, &m.Status, &m.Reason, &m.Attempt, &at)
		m.SentAt = orZero(at)
		return m, err
	})
	return err
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
