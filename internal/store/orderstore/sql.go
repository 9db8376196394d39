package orderstore

import (
	"orderbell/internal/event"
	"orderbell/internal/text"
)

// The statements. Those that write share common parts: each first creates or changes the row o of orders, then adds the
// outbox row and the stored answer in the same statement, so either all are written or none. All statements have the same
// argument numbers, see [arguments].

const columns = `id, tenant_id, reference, status, total_amount, currency, version, created_at, updated_at, undo_status`

// eventTime is the time of o's event: the server's, but at most a minute after the event's id, a UUIDv7 with this program's time. If the
// server's clock jumps ahead, its events are not of the future, which the functions would refuse.
const eventTime = `least(updated_at, to_timestamp(('x' || translate(left($5::uuid::text, 13), '-', ''))::bit(48)::bigint / 1000.0) + interval '1 minute')`

// eventPart writes o's event and its change. The event's data are the JSON of [event.Data]; a test compares the two.
// Its timestamp is the server's, so that an order's times increase with its version on every instance. Old references and
// names may have characters that the contract now refuses; the event leaves these out.
const eventPart = `
a AS (
    SELECT coalesce((SELECT ` + text.SaidSQL + ` FROM (
        SELECT name AS said FROM users WHERE tenant_id = $1::text AND id = $9::uuid
        UNION ALL SELECT name FROM devices WHERE tenant_id = $1::text AND id = $9::uuid) AS actor), '') AS actor_name
),
r AS (SELECT ` + text.SaidSQL + ` AS shown_reference FROM (SELECT reference AS said FROM o) AS o),
w AS (
    SELECT convert_to(
        '{"order_id":"' || id || '","tenant_id":' || to_json(tenant_id) || ',"status":"' || status || '"' ||
        CASE shown_reference WHEN '' THEN '' ELSE ',"reference":' || to_json(shown_reference) END ||
        ',"total_amount":' || total_amount || ',"currency":"' || currency || '","version":' || version ||
        ',"timestamp":"' || to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"' ||
        CASE undone WHEN '' THEN '' ELSE ',"undone":"' || undone || '"' END ||
        CASE $8::text WHEN '' THEN '' ELSE ',"actor":{"user_id":' || to_json($8::text) ||
            CASE actor_name WHEN '' THEN '' ELSE ',"name":' || to_json(actor_name) END || '}' END || '}', 'UTF8') AS event_data
    FROM o, a, r
),
e AS (
    INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at, traceparent, tracestate)
    SELECT $4::smallint, $5::uuid, '` + event.Source + `', $6::text, tenant_id, id, event_data, ` + eventTime + `, $7::text, $10::text
    FROM o, w
),
h AS (
    INSERT INTO order_changes (tenant_id, order_id, version, status, undone, event_id, actor_id, actor_name,
        total_amount, currency, changed_at)
    SELECT tenant_id, id, version, status, undone, $5::uuid, $8::text, actor_name, total_amount, currency, updated_at
    FROM o, a
)`

// newPart inserts the order and looks for a possible duplicate, only among the newest few orders with the reference, so
// that the cost is constant.
const newPart = `
n AS (
    SELECT $2::uuid AS id, $1::text AS tenant_id, $11::text AS reference, $3::text AS status,
        $12::bigint AS total_amount,
        coalesce(nullif($13::text, ''), (SELECT currency FROM tenants WHERE id = $1::text)) AS currency, 1::bigint AS version,
        now() AS created_at, now() AS updated_at, ''::text AS undo_status
),
d AS (
    SELECT id FROM (
        SELECT id, status, created_at FROM orders
        WHERE tenant_id = $1::text AND reference <> '' AND reference = $11::text
        ORDER BY reference, created_at DESC, id DESC LIMIT 20
    ) AS same
    WHERE status IN (` + open + `) OR created_at > now() - $14::interval
    ORDER BY created_at DESC, id DESC LIMIT 1
)`

// open has the states of orders that still need work.
const open = `'submitted', 'paid', 'preparing', 'ready'`

const created = `
SELECT ` + columns + `, coalesce((SELECT id::text FROM d), ''), event_data FROM o, w`

const createSQL = `WITH` + newPart + `,
o AS (INSERT INTO orders (` + columns + `) SELECT ` + columns + ` FROM n RETURNING ` + columns + `, '' AS undone),` + eventPart + created

// createOnceSQL inserts the key first: a second request with the key waits here for the first one, then creates
// nothing.
const createOnceSQL = `WITH` + newPart + `,
k AS (
    INSERT INTO idempotency_keys (tenant_id, key, request_hash, status, body)
    SELECT tenant_id, $15::text, $16::bytea, 201, convert_to(row_to_json(first)::text, 'UTF8')
    FROM (SELECT n.*, coalesce((SELECT id::text FROM d), '') AS duplicate_of FROM n) AS first
    ON CONFLICT DO NOTHING RETURNING 1
),
o AS (
    INSERT INTO orders (` + columns + `) SELECT ` + columns + ` FROM n WHERE EXISTS (SELECT FROM k) RETURNING ` + columns + `, '' AS undone
),` + eventPart + created

// changePart waits for the row lock and then checks the state again, as READ COMMITTED does; clock_timestamp() is read
// after that wait.
const changePart = `
o AS (
    UPDATE orders SET status = $3::text, version = version + 1, updated_at = clock_timestamp(),
        undo_status = CASE WHEN $12::boolean THEN status ELSE '' END
    WHERE id = $2::uuid AND tenant_id = $1::text AND status = ANY ($11::text[])
    RETURNING ` + columns + `, '' AS undone
),`

// undoPart takes the lock first, because it returns the undone state. The version ensures that nothing has changed
// since the client read the order.
const undoPart = `
p AS (
    SELECT id AS locked, status AS was FROM orders
    WHERE id = $2::uuid AND tenant_id = $1::text AND version = $13::bigint AND undo_status <> ''
        AND status = ANY ($11::text[]) AND updated_at > clock_timestamp() - $12::interval
    FOR UPDATE
),
o AS (
    UPDATE orders SET status = undo_status, version = version + 1, updated_at = clock_timestamp(), undo_status = ''
    FROM p WHERE id = locked
    RETURNING ` + columns + `, was AS undone
),`

// changed is the answer of a change. $3 is cast because an undo does not use it.
const changed = `
SELECT ` + columns + `, '', event_data FROM o, w WHERE $3::text IS NOT NULL`

const changeSQL = `WITH` + changePart + eventPart + changed

const undoSQL = `WITH` + undoPart + eventPart + changed

// A change with a key does not check the key first. A repeated change is rarely a valid transition, so it changes
// nothing. If it is valid (a key used for another order), the insert of the key fails, which undoes the whole
// statement.
const (
	changeOnceSQL = `WITH` + changePart + `
k AS (
    INSERT INTO idempotency_keys (tenant_id, key, request_hash, status, body)
    SELECT tenant_id, $13::text, $14::bytea, 200, convert_to(row_to_json(o)::text, 'UTF8') FROM o
),` + eventPart + changed

	undoOnceSQL = `WITH` + undoPart + `
k AS (
    INSERT INTO idempotency_keys (tenant_id, key, request_hash, status, body)
    SELECT tenant_id, $14::text, $15::bytea, 200, convert_to(row_to_json(o)::text, 'UTF8') FROM o
),` + eventPart + changed
)

const getSQL = `SELECT ` + columns + ` FROM orders WHERE id = $2::uuid AND tenant_id = $1::text`

const firstAnswerSQL = `SELECT request_hash, body FROM idempotency_keys WHERE tenant_id = $1::text AND key = $2::text`

const forgetKeysSQL = `DELETE FROM idempotency_keys WHERE (tenant_id, key) IN (
    SELECT tenant_id, key FROM idempotency_keys WHERE created_at < $1::timestamptz
    ORDER BY created_at LIMIT $2::int FOR UPDATE SKIP LOCKED)`
