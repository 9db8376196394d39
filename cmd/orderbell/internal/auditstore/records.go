package auditstore

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/audit"
)

// Records returns one page of the records in w, each with its notifications and mails. The page begins after the record
// at after. next is the start of the following page, the zero Place at the end.
func (s *Store) Records(ctx context.Context, w audit.Window, after audit.Place, limit int) (records []audit.Record, next audit.Place, err error) {
	const query = `
WITH page AS (
    SELECT * FROM event_records
    WHERE event_day BETWEEN $4 AND $5 AND (event_day, source, event_id) > ($1, $2, $3)
    ORDER BY event_day, source, event_id LIMIT $6
)
SELECT event_day, source, event_id::text, type, tenant_id, order_id::text, order_version, occurred_at, received_at, decisions,
    (SELECT count(*) FROM event_records c WHERE c.event_id = p.event_id AND c.source = p.source AND c.event_day BETWEEN $4 AND $5),
    (SELECT version FROM orders o WHERE o.id = p.order_id AND o.tenant_id = p.tenant_id)
FROM page p ORDER BY event_day, source, event_id`
	if after.EventID == "" {
		after.EventID = uuid.Nil.String()
	}
	first, last := w.Days()
	err = s.page(ctx, "event records", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, query, after.Day, after.Source, after.EventID, first, last, limit)
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r audit.Record, err error) {
			err = row.Scan(&r.Day, &r.Source, &r.EventID, &r.Type, &r.TenantID, &r.OrderID, &r.Version, &r.OccurredAt,
				&r.ReceivedAt, &r.Decisions, &r.Copies, &r.OrderVersion)
			return r, err
		})
		if err != nil {
			return err
		}
		next = nextOf(all, limit, func(r audit.Record) audit.Place { return r.Place })
		records = slices.DeleteFunc(all, func(r audit.Record) bool {
			return !w.Has(r.OccurredAt) || w.TenantID != "" && r.TenantID != w.TenantID
		})
		return addFollowers(ctx, tx, records)
	})
	return records, next, err
}

// followed is the key of an event in the tables of notifications and mails.
type followed struct{ source, eventID string }

// addFollowers adds each record's notifications and e-mails.
func addFollowers(ctx context.Context, tx pgx.Tx, records []audit.Record) error {
	if len(records) == 0 {
		return nil
	}
	at := map[followed][]*audit.Record{} // more than one where an event was recorded on two days
	sources, ids := make([]string, len(records)), make([]string, len(records))
	for i := range records {
		r := &records[i]
		sources[i], ids[i] = r.Source, r.EventID
		at[followed{r.Source, r.EventID}] = append(at[followed{r.Source, r.EventID}], r)
	}
	var of followed
	var userID string
	rows, err := tx.Query(ctx, `SELECT event_source, event_id::text, user_id::text FROM notifications
		WHERE (event_source, event_id) IN (SELECT * FROM unnest($1::text[], $2::uuid[])) ORDER BY user_id`, sources, ids)
	if err != nil {
		return err
	}
	if _, err := pgx.ForEachRow(rows, []any{&of.source, &of.eventID, &userID}, func() error {
		for _, r := range at[of] {
			r.Notified = append(r.Notified, userID)
		}
		return nil
	}); err != nil {
		return err
	}
	rows, err = tx.Query(ctx, `SELECT event_source, event_id::text, user_id::text, message_id, status, reason, ambiguous, sent_at,
		lease_until IS NOT NULL FROM email_deliveries
		WHERE (event_source, event_id) IN (SELECT * FROM unnest($1::text[], $2::uuid[])) ORDER BY user_id`, sources, ids)
	if err != nil {
		return err
	}
	var m audit.Mail
	var sent *time.Time
	_, err = pgx.ForEachRow(rows, []any{
		&of.source, &of.eventID, &m.UserID, &m.MessageID, &m.Status, &m.Reason, &m.Ambiguous, &sent, &m.Claimed,
	}, func() error {
		m.SentAt = orZero(sent)
		for _, r := range at[of] {
			r.Mails = append(r.Mails, m)
		}
		return nil
	})
	return err
}

// Orphans returns the rows of a page of table whose event has no record. A row's id begins with its event's time, so the
// pages of w are by the event's id. A page begins after the row after ("" for the first page). next is the start of the
// following page ("" at the end), and looked is the number of rows in the page.
func (s *Store) Orphans(ctx context.Context, w audit.Window, table audit.Table, after string, limit int) (orphans []audit.Orphan, looked int, next string, err error) {
	query := `
WITH page AS (
    SELECT id, event_source, event_id, tenant_id, order_id, user_id FROM ` + pgx.Identifier{string(table)}.Sanitize() + `
    WHERE id > $1 AND id < $2 AND order_id IS NOT NULL ORDER BY id LIMIT $3
)
SELECT id::text, event_source, event_id::text, tenant_id, order_id::text, user_id::text, EXISTS (
    SELECT FROM event_records r WHERE r.event_id = p.event_id AND r.source = p.event_source AND r.event_day BETWEEN $4 AND $5
) FROM page p ORDER BY id`
	if after == "" {
		after = firstID(w.Since)
	}
	first, last := w.Days()
	err = s.page(ctx, "rows of "+string(table), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, query, after, firstID(w.Until), limit, first.AddDate(0, 0, -1), last.AddDate(0, 0, 1))
		if err != nil {
			return err
		}
		var id string
		var of followed
		var o audit.Orphan
		var near bool
		suspects := map[followed][]audit.Orphan{}
		n := 0
		if _, err := pgx.ForEachRow(rows, []any{&id, &of.source, &of.eventID, &o.TenantID, &o.OrderID, &o.UserID, &near}, func() error {
			n++
			o.EventID = of.eventID
			if w.TenantID != "" && o.TenantID != w.TenantID {
				return nil
			}
			looked++
			if !near {
				suspects[of] = append(suspects[of], o)
			}
			return nil
		}); err != nil {
			return err
		}
		if n == limit {
			next = id
		}
		orphans, err = withoutRecord(ctx, tx, suspects)
		return err
	})
	return orphans, looked, next, err
}

// withoutRecord returns the rows whose event has no record on any day. It searches all days, because the time in an
// event's id may differ from the event's time.
func withoutRecord(ctx context.Context, tx pgx.Tx, suspects map[followed][]audit.Orphan) ([]audit.Orphan, error) {
	if len(suspects) == 0 {
		return nil, nil
	}
	var sources, ids []string
	for of := range suspects {
		sources, ids = append(sources, of.source), append(ids, of.eventID)
	}
	rows, err := tx.Query(ctx, `SELECT source, event_id::text FROM unnest($1::text[], $2::uuid[]) AS e (source, event_id)
		WHERE NOT EXISTS (SELECT FROM event_records r WHERE r.event_id = e.event_id AND r.source = e.source)
		ORDER BY event_id`, sources, ids)
	if err != nil {
		return nil, err
	}
	var orphans []audit.Orphan
	var of followed
	_, err = pgx.ForEachRow(rows, []any{&of.source, &of.eventID}, func() error {
		orphans = append(orphans, suspects[of]...)
		return nil
	})
	return orphans, err
}

// firstID returns the smallest UUIDv7 of t's millisecond.
func firstID(t time.Time) string {
	var id uuid.UUID
	millis := max(t.UnixMilli(), 0)
	for i := range 6 {
		id[i] = byte(millis >> (8 * (5 - i))) //nolint:gosec // the byte is what is wanted
	}
	return id.String()
}

// Unrecorded returns which of the events have no record on any day.
func (s *Store) Unrecorded(ctx context.Context, ids []string) (missing map[string]bool, err error) {
	missing = map[string]bool{}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		missing[id] = uuid.Validate(id) != nil // such an id no record can have
		return missing[id]
	})
	err = s.page(ctx, "event records", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT e::text FROM unnest($1::uuid[]) AS e
			WHERE NOT EXISTS (SELECT FROM event_records r WHERE r.event_id = e)`, ids)
		if err != nil {
			return err
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, id := range found {
			missing[id] = true
		}
		return err
	})
	return missing, err
}
