package eventstore

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/store/database"
)

// lockPatience is how long creating or dropping a partition waits for the lock on event_records. Events wait meanwhile,
// so after it the next sweep tries again.
const lockPatience = "2s"

// EnsureDays creates the missing partitions of the days from first to last, and returns how many it created.
func (s *Store) EnsureDays(ctx context.Context, first, last time.Time) (made int, err error) {
	err = s.patiently(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, "SELECT ensure_event_record_partitions($1, $2)", first, last).Scan(&made)
	})
	return made, wrap("make partitions of event_records", err)
}

// DaysAhead returns the number of consecutive days after today that have a partition. -1: today has none.
func (s *Store) DaysAhead(ctx context.Context) (int, error) {
	const sql = `SELECT coalesce(min(day.n), $1) - 1
		FROM generate_series(0, $1 - 1) AS day (n)
		WHERE to_regclass('event_records_' || to_char((now() AT TIME ZONE 'UTC')::date + day.n, 'YYYYMMDD')) IS NULL`
	var days int
	err := s.pool.QueryRow(ctx, sql, mostDaysAhead).Scan(&days)
	return days, wrap("count partitions of event_records", err)
}

// mostDaysAhead is where [Store.DaysAhead] stops to count.
const mostDaysAhead = 60

// ForgetDays drops the partitions of the days before first, each in its own transaction, and returns how many it
// dropped.
func (s *Store) ForgetDays(ctx context.Context, first time.Time) (dropped int, err error) {
	const sql = `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'event_records'::regclass AND c.relname < 'event_records_' || to_char($1::date, 'YYYYMMDD')
		ORDER BY c.relname`
	rows, err := s.pool.Query(ctx, sql, first)
	if err != nil {
		return 0, wrap("list partitions of event_records", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return 0, wrap("list partitions of event_records", err)
	}
	for _, name := range names {
		err := s.patiently(ctx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "SELECT drop_event_record_partition($1)", name)
			return err
		})
		if err != nil {
			return dropped, wrap(fmt.Sprintf("drop partition %s", name), err)
		}
		dropped++
	}
	return dropped, nil
}

// patiently runs do in a transaction that waits for locks no longer than lockPatience. One sweep at a time: two that drop the
// same partition may find half of it.
func (s *Store) patiently(ctx context.Context, do func(pgx.Tx) error) error {
	return database.Transact(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '"+lockPatience+"'"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('event_records.days'))"); err != nil {
			return err
		}
		return do(tx)
	})
}

// ForgetNotifications removes at most limit notifications that were made before then, and returns how many it removed.
func (s *Store) ForgetNotifications(ctx context.Context, before time.Time, limit int) (int64, error) {
	const sql = `DELETE FROM notifications WHERE id = ANY (ARRAY(SELECT id FROM notifications WHERE created_at < $1 LIMIT $2))`
	tag, err := s.pool.Exec(ctx, sql, before, limit)
	return tag.RowsAffected(), wrap("forget notifications", err)
}

// ForgetMails removes at most limit mails that were made before then and are not due, and returns how many it removed.
func (s *Store) ForgetMails(ctx context.Context, before time.Time, limit int) (int64, error) {
	const sql = `DELETE FROM email_deliveries WHERE id = ANY (ARRAY(SELECT id FROM email_deliveries WHERE created_at < $1 AND status <> 'due' LIMIT $2))`
	tag, err := s.pool.Exec(ctx, sql, before, limit)
	return tag.RowsAffected(), wrap("forget mails", err)
}
