package auditstore

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/audit"
	"orderbell/internal/event"
	"orderbell/internal/store/database"
)

// The pages of a window. Each is one short read-only transaction on one snapshot, which does not delay a vacuum, and reads
// at most limit rows of its table, however few of them are in the window.

// page runs do in a read-only transaction.
func (s *Store) page(ctx context.Context, what string, do func(pgx.Tx) error) error {
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, do)
	return database.Wrap("read "+what, err)
}

// Clock returns the database's time and the first day with event records (zero: no day).
func (s *Store) Clock(ctx context.Context) (now, firstDay time.Time, err error) {
	err = s.page(ctx, "the clock", func(tx pgx.Tx) error {
		var first *time.Time
		err := tx.QueryRow(ctx, `SELECT clock_timestamp(), (SELECT to_date(min(right(c.relname, 8)), 'YYYYMMDD')
			FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'event_records'::regclass)`).Scan(&now, &first)
		firstDay = orZero(first)
		return err
	})
	return now, firstDay, err
}

// HasTenant says whether there is a tenant of that id.
func (s *Store) HasTenant(ctx context.Context, id string) (known bool, err error) {
	err = s.page(ctx, "tenants", func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM tenants WHERE id = $1)`, id).Scan(&known)
	})
	return known, err
}

// Sizes estimates how many rows the pages of w will look at, from the server's statistics.
func (s *Store) Sizes(ctx context.Context, w audit.Window) (sizes audit.Sizes, err error) {
	first, last := w.Days()
	err = s.page(ctx, "sizes of tables", func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT
			coalesce(max(reltuples) FILTER (WHERE relname = 'orders'), -1)::bigint,
			coalesce(max(reltuples) FILTER (WHERE relname = 'outbox'), -1)::bigint,
			coalesce(sum(reltuples) FILTER (WHERE relname BETWEEN 'event_records_' || to_char($1::date, 'YYYYMMDD')
				AND 'event_records_' || to_char($2::date, 'YYYYMMDD') AND reltuples >= 0), -1)::bigint,
			coalesce(max(reltuples) FILTER (WHERE relname = 'notifications'), -1)::bigint,
			coalesce(max(reltuples) FILTER (WHERE relname = 'email_deliveries'), -1)::bigint
			FROM pg_class WHERE relkind = 'r' AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'orders'::regclass)`, first, last).
			Scan(&sizes.Orders, &sizes.Outgoing, &sizes.Records, &sizes.Notifications, &sizes.Mails)
	})
	return sizes, err
}

// Orders returns the orders of a page that changed in w. The page begins after the order after, "" at first; next is
// where the following page begins, "" at the end.
func (s *Store) Orders(ctx context.Context, w audit.Window, after string, limit int) (orders []audit.Order, next string, err error) {
	const query = `
WITH page AS (
    SELECT id, tenant_id, version, created_at, updated_at FROM orders WHERE id > $1 ORDER BY id LIMIT $2
)
SELECT id::text, tenant_id, version, created_at, updated_at,
    CASE WHEN updated_at >= $3 AND created_at < $4 THEN ARRAY(
        SELECT DISTINCT r.order_version FROM event_records r
        WHERE r.order_id = p.id AND r.tenant_id = p.tenant_id AND r.event_day BETWEEN $5 AND $6 ORDER BY 1
    ) END AS known
FROM page p ORDER BY id`
	if after == "" {
		after = uuid.Nil.String()
	}
	first, last := w.Days()
	err = s.page(ctx, "orders", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, query, after, limit, w.Since, w.Until, first, last)
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[audit.Order])
		if err != nil {
			return err
		}
		next = nextOf(all, limit, func(o audit.Order) string { return o.ID })
		orders = slices.DeleteFunc(all, func(o audit.Order) bool {
			return w.TenantID != "" && o.TenantID != w.TenantID || o.UpdatedAt.Before(w.Since) || !o.CreatedAt.Before(w.Until)
		})
		return addOutgoing(ctx, tx, w, orders)
	})
	return orders, next, err
}

// nextOf returns the start of the page after a full one.
func nextOf[T, C any](page []T, limit int, at func(T) C) (next C) {
	if len(page) < limit {
		return next
	}
	return at(page[len(page)-1])
}

// addOutgoing adds the versions that the outbox has to the orders that miss some. The outbox has no index by order, so
// this reads all of it; it is asked only where something is on its way, or wrong.
func addOutgoing(ctx context.Context, tx pgx.Tx, w audit.Window, orders []audit.Order) error {
	var ids []string
	for _, o := range orders {
		if len(o.Missing(w)) > 0 {
			ids = append(ids, o.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, `SELECT order_id::text, data FROM outbox WHERE order_id = ANY ($1)`, ids)
	if err != nil {
		return err
	}
	versions := map[string][]int64{}
	var id string
	var data []byte
	if _, err := pgx.ForEachRow(rows, []any{&id, &data}, func() error {
		if d, err := event.ParseData(data); err == nil { // the check of the outbox finds rows that cannot be read
			versions[id] = append(versions[id], d.Version)
		}
		return nil
	}); err != nil {
		return err
	}
	for i := range orders {
		o := &orders[i]
		o.Known = append(o.Known, versions[o.ID]...)
		slices.Sort(o.Known)
		o.Known = slices.Compact(o.Known)
	}
	return nil
}

// Outbox returns the rows of the outbox in w of one page, which begins after the row after, 0 at first; next is where
// the following page begins, 0 at the end.
func (s *Store) Outbox(ctx context.Context, w audit.Window, after int64, limit int) (found []audit.Outgoing, next int64, err error) {
	const query = `
WITH page AS (
    SELECT id, event_id, source, tenant_id, order_id, occurred_at, sent_at, data FROM outbox WHERE id > $1 ORDER BY id LIMIT $2
)
SELECT p.id, event_id::text, tenant_id, order_id::text, occurred_at, sent_at, r.records, r.same
FROM page p LEFT JOIN LATERAL (
    SELECT count(*) AS records, count(*) FILTER (WHERE r.data_hash = sha256(p.data)) AS same FROM event_records r
    WHERE r.event_id = p.event_id AND r.source = p.source AND r.event_day = (p.occurred_at AT TIME ZONE 'UTC')::date
        AND p.occurred_at >= $3 AND p.occurred_at < $4 AND p.sent_at IS NOT NULL
) r ON true
ORDER BY p.id`
	err = s.page(ctx, "the outbox", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, query, after, limit, w.Since, w.Until)
		if err != nil {
			return err
		}
		var o audit.Outgoing
		var sent *time.Time
		n, at := 0, int64(0)
		_, err = pgx.ForEachRow(rows, []any{&at, &o.EventID, &o.TenantID, &o.OrderID, &o.OccurredAt, &sent, &o.Records, &o.Same}, func() error {
			n++
			o.SentAt = orZero(sent)
			if w.Has(o.OccurredAt) && (w.TenantID == "" || w.TenantID == o.TenantID) {
				found = append(found, o)
			}
			return nil
		})
		if n == limit {
			next = at
		}
		return err
	})
	return found, next, err
}

// Users returns the ids of users that still exist. Removing a user also removes their notifications and mails.
func (s *Store) Users(ctx context.Context, ids []string) (present map[string]bool, err error) {
	present = map[string]bool{}
	err = s.page(ctx, "users", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id::text FROM users WHERE id = ANY ($1)`, ids)
		if err != nil {
			return err
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, id := range found {
			present[id] = true
		}
		return err
	})
	return present, err
}
