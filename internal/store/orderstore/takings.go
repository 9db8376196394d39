package orderstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/order"
	"orderbell/internal/store/database"
)

// tallySQL reads the changes of a period from one index. An undo that returns to paid is not a second payment.
const tallySQL = `
SELECT date_trunc('minute', changed_at, 'UTC'), status, currency, count(*), least(sum(total_amount), $5::numeric)::bigint
FROM order_changes
WHERE tenant_id = $1::text AND changed_at >= $2::timestamptz AND changed_at < $3::timestamptz
    AND status = ANY ($4::text[]) AND undone = ''
GROUP BY 1, 2, 3 ORDER BY 1`

// Takings returns payments and refunds in [from, to), by minute, status and currency.
func (s *Store) Takings(ctx context.Context, tenantID string, from, to time.Time) ([]order.Tally, error) {
	tallies, err := database.Collect(ctx, s.pool, tenantID, func(row pgx.CollectableRow) (t order.Tally, err error) {
		err = row.Scan(&t.Minute, &t.Status, &t.Currency, &t.Count, &t.Amount)
		t.Minute = t.Minute.UTC()
		return t, err
	}, tallySQL, tenantID, from, to, []order.Status{order.Paid, order.Refunded}, int64(order.MostTakings))
	return tallies, database.Wrap("sum takings up", err)
}

// madeSQL counts with an index on state and time. Without the ORDER BY the server may read the whole table, see
// [countSQL].
const madeSQL = `SELECT state, (SELECT count(*) FROM (
    SELECT FROM orders WHERE tenant_id = $1::text AND status = state
        AND created_at >= $3::timestamptz AND created_at < $4::timestamptz
    ORDER BY created_at DESC, id DESC
) AS counted) FROM unnest($2::text[]) AS wanted (state)`

// Made returns the number of orders that were created in [from, to), by current state.
func (s *Store) Made(ctx context.Context, tenantID string, from, to time.Time) (map[order.Status]int, error) {
	counts := map[order.Status]int{}
	_, err := database.Collect(ctx, s.pool, tenantID, func(row pgx.CollectableRow) (struct{}, error) {
		var state order.Status
		var n int
		err := row.Scan(&state, &n)
		counts[state] = n
		return struct{}{}, err
	}, madeSQL, tenantID, order.Statuses(), from, to)
	return counts, database.Wrap("count the orders of a day", err)
}
