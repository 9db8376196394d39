package orderstore

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/order"
	"orderbell/internal/store/database"
)

// The statements of a list read at most one page of rows for each state, from an index that ends with the position in
// the list. So their cost does not depend on the age of a tenant (bench_test.go).

// place is the part of a condition that bounds a page.
const place = `(created_at, id) < ($3::timestamptz, $4::uuid) AND created_at < $5::timestamptz`

const newest = `ORDER BY created_at DESC, id DESC LIMIT $2::int`

const pageSQL = `SELECT ` + columns + ` FROM orders
WHERE tenant_id = $1::text AND ` + place + ` AND created_at >= $6::timestamptz ` + newest

// pageOfStatesSQL reads a page of each state, with its own bound, and returns the newest of them.
const pageOfStatesSQL = `SELECT o.* FROM unnest($6::text[], $7::timestamptz[]) AS wanted (state, since), LATERAL (
    SELECT ` + columns + ` FROM orders
    WHERE tenant_id = $1::text AND status = wanted.state AND ` + place + ` AND created_at >= wanted.since ` + newest + `
) AS o ` + newest

// The ORDER BY has the order of the index. Without it, the server reads the whole table for a rare state.
const countSQL = `SELECT state, (SELECT count(*) FROM (
    SELECT FROM orders WHERE tenant_id = $1::text AND status = state
        AND created_at >= $3::timestamptz AND created_at < $4::timestamptz
    ORDER BY created_at DESC, id DESC LIMIT $5::int
) AS counted) FROM unnest($2::text[]) AS wanted (state)`

// searchSQL finds orders by reference (as typed, in upper case and in lower case) and by a prefix of the id, among
// orders of the time in the UUIDv7. With row-level security only an equality of texts can use an index, so a search by
// a prefix of the reference would read a tenant's whole history.
const searchSQL = `SELECT ` + columns + ` FROM (
    (SELECT o.* FROM unnest(ARRAY[$3::text, upper($3::text), lower($3::text)]) AS typed (as_reference), LATERAL (
        SELECT ` + columns + ` FROM orders WHERE tenant_id = $1::text AND reference <> '' AND reference = typed.as_reference ` + newest + `) AS o)
    UNION
    (SELECT ` + columns + ` FROM orders WHERE tenant_id = $1::text AND id BETWEEN $4::uuid AND $5::uuid
        AND created_at BETWEEN $6::timestamptz AND $7::timestamptz ` + newest + `)
) AS found ` + newest

// lastID is the largest UUID.
const lastID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

// beginning and end stand for no bound.
func beginning() time.Time { return time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC) }

func end() time.Time { return time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) }

// Page returns at most q.Limit orders of the tenant that match q, and whether there are more.
func (s *Store) Page(ctx context.Context, tenantID string, q order.Query) ([]order.Order, bool, error) {
	after, from, to := q.After, q.From, q.To
	if after == (order.Position{}) {
		after = order.Position{CreatedAt: end(), ID: lastID}
	}
	if from.IsZero() {
		from = beginning()
	}
	if to.IsZero() {
		to = end()
	}
	query, args := pageSQL, []any{tenantID, q.Limit + 1, after.CreatedAt, after.ID, to}
	var states []string
	var since []time.Time
	for _, s := range q.States {
		states, since = append(states, string(s)), append(since, from)
	}
	if !q.DoneFrom.IsZero() {
		for _, s := range order.Open() {
			states, since = append(states, string(s)), append(since, from)
		}
		for _, s := range order.Done() {
			states, since = append(states, string(s)), append(since, q.DoneFrom)
		}
	}
	if len(states) == 0 {
		args = append(args, from)
	} else {
		query, args = pageOfStatesSQL, append(args, states, since)
	}
	page, err := database.Collect(ctx, s.pool, tenantID, scan, query, args...)
	if err != nil {
		return nil, false, database.Wrap("page orders", err)
	}
	if len(page) > q.Limit {
		return page[:q.Limit], true, nil
	}
	return page, false, nil
}

// Count returns the number of the tenant's orders in each state that were created in [from, to), up to
// [order.MostCounted] each. A zero time is no bound.
func (s *Store) Count(ctx context.Context, tenantID string, from, to time.Time) (map[order.Status]int, error) {
	if to.IsZero() {
		to = end()
	}
	if from.IsZero() {
		from = beginning()
	}
	counts := map[order.Status]int{}
	_, err := database.Collect(ctx, s.pool, tenantID, func(row pgx.CollectableRow) (struct{}, error) {
		var state string
		var n int
		err := row.Scan(&state, &n)
		counts[order.Status(state)] = n
		return struct{}{}, err
	}, countSQL, tenantID, order.Statuses(), from, to, order.MostCounted)
	return counts, database.Wrap("count orders", err)
}

// clocksApart is the greatest difference between the database's clock and an instance's clock, whose time is in an id.
const clocksApart = 10 * time.Minute

// Search returns at most limit orders of the tenant whose reference is text, or whose id begins with it, the newest first.
func (s *Store) Search(ctx context.Context, tenantID, text string, limit int) ([]order.Order, error) {
	first, last, from, to := idsFrom(text)
	found, err := database.Collect(ctx, s.pool, tenantID, scan, searchSQL, tenantID, limit, text, first, last, from, to)
	return found, database.Wrap("search orders", err)
}

// leastOfID is the shortest prefix of an id that is searched: its time to the minute.
const leastOfID = 8

// idsFrom returns the first and last UUIDv7 with the prefix, and the period of their creation. For a text that is not
// such a prefix the range is empty.
func idsFrom(text string) (first, last string, from, to time.Time) {
	const digits = 32
	hex := strings.ReplaceAll(strings.ToLower(text), "-", "")
	if len(hex) < leastOfID || len(hex) > digits || strings.Trim(hex, "0123456789abcdef") != "" {
		return lastID, uuid.Nil.String(), end(), beginning()
	}
	low := uuid.MustParse(hex + strings.Repeat("0", digits-len(hex)))
	high := uuid.MustParse(hex + strings.Repeat("f", digits-len(hex)))
	return low.String(), high.String(), madeAt(low).Add(-clocksApart), madeAt(high).Add(clocksApart)
}

// madeAt returns the time in a UUIDv7 (RFC 9562 §5.7).
func madeAt(id uuid.UUID) time.Time {
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	at := time.UnixMilli(ms).UTC()
	if at.After(end()) {
		return end()
	}
	return at
}

// TimeZone returns the tenant's time zone, or [order.ErrNoTenant].
func (s *Store) TimeZone(ctx context.Context, tenantID string) (string, error) {
	found, err := database.Collect(ctx, s.pool, tenantID, pgx.RowTo[string], `SELECT time_zone FROM tenants WHERE id = $1`, tenantID)
	if err == nil && len(found) == 0 {
		return "", order.ErrNoTenant
	}
	if err != nil {
		return "", database.Wrap("read time zone", err)
	}
	return found[0], nil
}
