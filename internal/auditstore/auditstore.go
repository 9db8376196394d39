// Package auditstore reads what became of an event, across the tables of every program. It changes nothing: it is for
// checks and for people who ask why.
package auditstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"orderbell/internal/event"
)

// Store is safe for concurrent use.
type Store struct{ pool *pgxpool.Pool }

// New returns a store on the pool.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

// Trail is what the tables know of one event.
type Trail struct {
	SentAt     time.Time // when Kafka had it; zero: not yet, or the outbox row is removed already
	Records    int       // in event_records: 1 once a function took it in
	ReceivedAt time.Time // of the record
	Notified   []string  // user ids of the notification rows, sorted
	Mails      []Mail    // by user id
}

// Mail is one row of email_deliveries.
type Mail struct {
	UserID  string
	Status  string // due, sent, failed, suppressed
	Reason  string
	Attempt int
	SentAt  time.Time // zero: not sent
}

// Outgoing returns the events of an order that the outbox still holds, in their order.
func (s *Store) Outgoing(ctx context.Context, orderID string) ([]event.Outgoing, error) {
	const query = `SELECT id, event_id::text, source, type, tenant_id, order_id::text, occurred_at, traceparent, data
		FROM outbox WHERE order_id = $1 ORDER BY id`
	rows, err := s.pool.Query(ctx, query, orderID)
	if err != nil {
		return nil, fmt.Errorf("read the outbox of order %s: %w", orderID, err)
	}
	events, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (event.Outgoing, error) {
		var o event.Outgoing
		err := row.Scan(&o.Position, &o.ID, &o.Source, &o.Type, &o.TenantID, &o.OrderID, &o.Time, &o.TraceParent, &o.Raw)
		return o, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the outbox of order %s: %w", orderID, err)
	}
	return events, nil
}

// Trail returns what became of the event so far.
func (s *Store) Trail(ctx context.Context, eventID string) (Trail, error) {
	var t Trail
	// One transaction on one snapshot: rows of one event must not be seen half.
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return t.read(ctx, tx, eventID)
	})
	if err != nil {
		return Trail{}, fmt.Errorf("read the trail of event %s: %w", eventID, err)
	}
	return t, nil
}

func (t *Trail) read(ctx context.Context, tx pgx.Tx, eventID string) error {
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
	t.Mails, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Mail, error) {
		var m Mail
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
