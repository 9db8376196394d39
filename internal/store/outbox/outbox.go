// Package outbox passes the events in the outbox to a sender, in order, and marks the sent ones.
//
// Tenants share it: a batch has the oldest events of each tenant with unsent events, so a tenant's first event does not
// wait for the burst of another. Events of one order stay in order, because an order has one tenant.
//
// The outbox has shards, by order. [Outbox.Take] locks some for its one transaction, so that of any number of relays
// only one holds a shard, a relay that dies or hangs leaves no lock (see [database.Begin]), and a pooler may be used. A
// relay that loses its database connection during a batch also loses its shards, while its events may still be on their
// way. Another relay may then send the same events. That duplicates but does not reorder: every sender sends the
// unmarked events of an order in order, and only acknowledged events are marked. So the first copy of each event
// follows the first copy of the event before it, whatever fails.
package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/event"
	"orderbell/internal/store/database"
)

// Outbox is safe for concurrent use.
type Outbox struct {
	pool  *database.Pool
	floor floor

	forgetting sync.Mutex
	forgotten  time.Time // rows sent before it are removed
}

// New returns the outbox of pool's database. Each [Outbox.Take] under way holds one connection.
func New(pool *database.Pool) *Outbox { return &Outbox{pool: pool} }

// lockClass is the first key of the shards' advisory locks, "outb"; the second is the shard.
const lockClass = 0x6f757462

// A look into the outbox begins at the floor, see [floor]. If all unsent rows fit into a batch, they are the batch.
// Otherwise, and also periodically, a batch is shared between tenants, by reads that begin at the first row.
//
// Reads of the second kind compare (shard, tenant_id, id) as a row and sort by it, which only the index on unsent rows can
// serve. With shard = s and ORDER BY id the planner would use the primary key, and read every row that was ever sent, as long as its
// statistics have unsent rows only.

// recent returns the shards of the first @most unsent rows after @floor, each with its number of rows. The order of the shards begins
// with @first and wraps around at @shards.
const recent = `
SELECT shard, count(*) FROM (
    SELECT shard FROM outbox WHERE id > @floor AND sent_at IS NULL ORDER BY id LIMIT @most
) o
GROUP BY shard
ORDER BY (shard - @first + @shards) % @shards`

// unsentAfter returns up to $1 unsent rows of the locked shards after row $2.
const unsentAfter = `
SELECT id, event_id::text, source, type, tenant_id, order_id::text, occurred_at, traceparent, tracestate, data
FROM outbox
WHERE id > $2 AND sent_at IS NULL AND shard = ANY (string_to_array(current_setting('orderbell.shards'), ',')::int[])
ORDER BY id
LIMIT $1`

// waiting returns the shards with unsent rows. Their order begins with @first and wraps around at @shards.
const waiting = `
SELECT s FROM generate_series(0, @shards - 1) s CROSS JOIN LATERAL (
    SELECT FROM outbox
    WHERE (shard, tenant_id, id) > (s, '', 0) AND (shard, tenant_id, id) < (s + 1, '', 0) AND sent_at IS NULL
    ORDER BY shard, tenant_id, id
    LIMIT 1
) o
ORDER BY (s - @first + @shards) % @shards`

// lock takes up to $3 of the free shards of $1, in the given order. The second statement must see the marks of the previous
// holder, so it needs a snapshot that is taken after this one. It gets the shards by a setting, which saves a round trip.
const lock = `
WITH taken AS (
    SELECT s FROM unnest($1::int[]) s WHERE pg_try_advisory_xact_lock($2, s) LIMIT $3
)
SELECT set_config('orderbell.shards', coalesce(string_agg(s::text, ','), ''), true) FROM taken`

// unsent returns up to $1 unsent rows of the locked shards, of each tenant in turn: first the oldest row of each, then the
// second. The recursive part goes from tenant to tenant with one step through the index for each. It begins with tenant $2 and wraps
// around. It ends after four times as many tenants as a batch has rows, which bounds its cost. It reads at most twice the fair share
// of a tenant, so that a batch is full even if some tenants have few rows.
const unsent = `
WITH RECURSIVE held AS (
    SELECT s::int FROM unnest(string_to_array(current_setting('orderbell.shards'), ',')) s
), walk AS (
    SELECT s, 1 AS n, false AS around, (
        SELECT tenant_id FROM outbox
        WHERE (shard, tenant_id, id) > (s, $2::text, 0) AND (shard, tenant_id, id) < (s + 1, '', 0) AND sent_at IS NULL
        ORDER BY shard, tenant_id, id
        LIMIT 1
    ) AS tenant
    FROM held
    UNION ALL
    SELECT s, n + 1, around OR tenant IS NULL, (
        SELECT tenant_id FROM outbox
        WHERE (shard, tenant_id, id) > (s, coalesce(tenant, ''), CASE WHEN tenant IS NULL THEN 0 ELSE 9223372036854775807 END)
            AND (shard, tenant_id, id) < (CASE WHEN around OR tenant IS NULL THEN s ELSE s + 1 END,
                CASE WHEN around OR tenant IS NULL THEN $2 ELSE '' END, 0)
            AND sent_at IS NULL
        ORDER BY shard, tenant_id, id
        LIMIT 1
    )
    FROM walk
    WHERE (tenant IS NOT NULL OR NOT around) AND n < 4 * $1::bigint
), busy AS (
    SELECT s, tenant FROM walk WHERE tenant IS NOT NULL
), share AS (
    SELECT s, tenant, greatest(2 * $1::bigint / count(*) OVER (), 1) AS most
    FROM busy
), turn AS (
    SELECT o.*
    FROM share CROSS JOIN LATERAL (
        SELECT id, event_id, source, type, tenant_id, order_id, occurred_at, traceparent, tracestate, data,
            row_number() OVER (ORDER BY shard, tenant_id, id) AS nth
        FROM outbox
        WHERE (shard, tenant_id, id) > (s, tenant, 0) AND (shard, tenant_id, id) < (s, tenant, 9223372036854775807)
            AND sent_at IS NULL
        ORDER BY shard, tenant_id, id
        LIMIT most
    ) o
    ORDER BY nth, id
    LIMIT $1
)
SELECT id, event_id::text, source, type, tenant_id, order_id::text, occurred_at, traceparent, tracestate, data FROM turn ORDER BY id`

const mark = `UPDATE outbox SET sent_at = clock_timestamp() WHERE id = ANY ($1) AND sent_at IS NULL`

// Take calls send with at most most unsent events of up to shards shards that no other Take holds, beginning with shard
// first. Events of an order are in order. send returns the positions of the events that Kafka has; these are marked.
// Until then the shards stay locked.
//
// It returns how many events it passed to send. Without unsent events, or if other relays hold all of their shards, send
// is not called. After an error some marks may be missing, but no mark is wrong.
func (o *Outbox) Take(ctx context.Context, first, shards, most int, send func(context.Context, []event.Outgoing) []int64) (int, error) {
	if err := o.raiseFloor(ctx); err != nil {
		return 0, database.Wrap("look for outbox rows", err)
	}
	found, err := o.look(ctx, first, most)
	if err != nil || len(found.shards) == 0 {
		return 0, database.Wrap("look for outbox rows", err)
	}
	n, err := o.takeOf(ctx, found, shards, send)
	if n == 0 && database.Refused(err) { // nothing was sent
		n, err = o.takeOf(ctx, found, shards, send)
	}
	return n, database.Wrap("take outbox batch", err)
}

// found is the result of a look.
type found struct {
	shards []int32 // with something to send
	read   string  // the statement that reads a batch of them
	args   []any   // its arguments
}

// look looks for shards with unsent rows, beginning with first.
func (o *Outbox) look(ctx context.Context, first, most int) (found, error) {
	args := pgx.NamedArgs{"shards": event.OutboxShards, "first": first % event.OutboxShards, "most": most + 1}
	if after, ok := o.floor.begin(time.Now()); ok {
		args["floor"] = after
		shards, rows, err := o.recent(ctx, args)
		if err != nil || rows <= most {
			return found{shards, unsentAfter, []any{most, after}}, err
		}
	}
	rows, err := o.pool.Query(ctx, waiting, args)
	if err != nil {
		return found{}, err
	}
	shards, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	return found{shards, unsent, []any{most, o.floor.tenant()}}, err
}

func (o *Outbox) recent(ctx context.Context, args pgx.NamedArgs) (shards []int32, unsent int, err error) {
	rows, err := o.pool.Query(ctx, recent, args)
	if err != nil {
		return nil, 0, err
	}
	var shard int32
	var n int
	_, err = pgx.ForEachRow(rows, []any{&shard, &n}, func() error {
		shards = append(shards, shard)
		unsent += n
		return nil
	})
	return shards, unsent, err
}

func (o *Outbox) takeOf(ctx context.Context, found found, shards int, send func(context.Context, []event.Outgoing) []int64) (int, error) {
	tx, err := database.Begin(ctx, o.pool)
	if err != nil {
		return 0, err
	}
	n, err := o.take(ctx, tx, found, shards, send)
	if err != nil {
		return n, errors.Join(err, rollback(ctx, tx))
	}
	return n, tx.Commit(ctx)
}

func (o *Outbox) take(ctx context.Context, tx pgx.Tx, found found, shards int, send func(context.Context, []event.Outgoing) []int64) (int, error) {
	events, err := lockAndRead(ctx, tx, found, shards)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	o.floor.took(events[rand.IntN(len(events))].TenantID)
	sent := send(ctx, events)
	if len(sent) == 0 {
		return len(events), nil
	}
	_, err = tx.Exec(ctx, mark, sent)
	return len(events), err
}

func lockAndRead(ctx context.Context, tx pgx.Tx, found found, shards int) (events []event.Outgoing, err error) {
	batch := &pgx.Batch{}
	batch.Queue(lock, found.shards, lockClass, shards)
	batch.Queue(found.read, found.args...)
	results := tx.SendBatch(ctx, batch)
	defer func() { err = errors.Join(err, results.Close()) }()
	if _, err := results.Exec(); err != nil {
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (event.Outgoing, error) {
		var e event.Outgoing
		err := row.Scan(&e.Position, &e.ID, &e.Source, &e.Type, &e.TenantID, &e.OrderID, &e.Time, &e.TraceParent, &e.TraceState, &e.Raw)
		return e, err
	})
}

func rollback(ctx context.Context, tx pgx.Tx) error {
	// The transaction has to end although its context may have ended: otherwise its locks stay with a pooled
	// connection.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := tx.Rollback(ctx); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
		return err
	}
	return nil
}

// Backlog returns how many events are unsent and how long the oldest has waited.
func (o *Outbox) Backlog(ctx context.Context) (unsent int64, oldest time.Duration, err error) {
	var seconds float64
	err = o.pool.QueryRow(ctx, `
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8
FROM outbox WHERE sent_at IS NULL`).Scan(&unsent, &seconds)
	return unsent, time.Duration(seconds * float64(time.Second)), database.Wrap("measure outbox", err)
}
