package orderstore

import "orderbell/internal/event"

// The statements. Those that write are built of common parts: each first makes or changes the row o of orders, then
// hangs the outbox row and the kept answer on it, so either all of them come to be or none. The arguments have the same
// numbers in all of them, see [arguments].

const columns = `id, tenant_id, reference, status, total_amount, currency, version, created_at, updated_at`

// outboxPart writes o's event. Its data are [event.Data]'s JSON; a test holds the two together. The server's clock
// gives the time, so that an order's times rise with its version whichever instance changes it.
const outboxPart = `
e AS (
    INSERT INTO outbox (shard, event_id, source, type, tenant_id, order_id, data, occurred_at, traceparent)
    SELECT $4::smallint, $5::uuid, '` + event.Source + `', $6::text, tenant_id, id, convert_to(
        '{"order_id":"' || id || '","tenant_id":' || to_json(tenant_id) || ',"status":"' || status || '"' ||
        CASE reference WHEN '' THEN '' ELSE ',"reference":' || to_json(reference) END ||
        ',"total_amount":' || total_amount || ',"currency":"' || currency || '","version":' || version ||
        ',"timestamp":"' || to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"}', 'UTF8'),
        updated_at, $7::text
    FROM o
)`

// newPart is the row that an order begins as.
const newPart = `
n AS (
    SELECT $2::uuid AS id, $1::text AS tenant_id, $8::text AS reference, $3::text AS status,
        $9::bigint AS total_amount,
        coalesce(nullif($10::text, ''), (SELECT currency FROM tenants WHERE id = $1::text)) AS currency, 1::bigint AS version,
        now() AS created_at, now() AS updated_at
)`

const createSQL = `WITH` + newPart + `,
o AS (INSERT INTO orders (` + columns + `) SELECT ` + columns + ` FROM n RETURNING ` + columns + `),` + outboxPart + `
SELECT ` + columns + ` FROM o`

// createOnceSQL takes the key first: a second request with it waits here for the first one's end, then makes nothing.
const createOnceSQL = `WITH` + newPart + `,
k AS (
    INSERT INTO idempotency_keys (tenant_id, key, request_hash, status, body)
    SELECT tenant_id, $11::text, $12::bytea, 201, convert_to(row_to_json(n)::text, 'UTF8') FROM n
    ON CONFLICT DO NOTHING RETURNING 1
),
o AS (
    INSERT INTO orders (` + columns + `) SELECT ` + columns + ` FROM n WHERE EXISTS (SELECT FROM k) RETURNING ` + columns + `
),` + outboxPart + `
SELECT ` + columns + ` FROM o`

// changePart waits for the row's lock and then looks at the state again, as READ COMMITTED does; clock_timestamp() is
// read behind that wait.
const changePart = `
o AS (
    UPDATE orders SET status = $3::text, version = version + 1, updated_at = clock_timestamp()
    WHERE id = $2::uuid AND tenant_id = $1::text AND status = ANY ($8::text[])
    RETURNING ` + columns + `
),`

const changeSQL = `WITH` + changePart + outboxPart + `
SELECT ` + columns + ` FROM o`

// changeOnceSQL does not look for the key first. A repeated change is seldom allowed twice, so it changes nothing; if it
// is (a key used for another order), the key is there twice, which undoes the whole statement.
const changeOnceSQL = `WITH` + changePart + `
k AS (
    INSERT INTO idempotency_keys (tenant_id, key, request_hash, status, body)
    SELECT tenant_id, $9::text, $10::bytea, 200, convert_to(row_to_json(o)::text, 'UTF8') FROM o
),` + outboxPart + `
SELECT ` + columns + ` FROM o`

const getSQL = `SELECT ` + columns + ` FROM orders WHERE id = $2::uuid AND tenant_id = $1::text`

const firstAnswerSQL = `SELECT request_hash, body FROM idempotency_keys WHERE tenant_id = $1::text AND key = $2::text`

const firstPageSQL = `SELECT ` + columns + ` FROM orders WHERE tenant_id = $1::text
ORDER BY created_at DESC, id DESC LIMIT $2::int`

const nextPageSQL = `SELECT ` + columns + ` FROM orders
WHERE tenant_id = $1::text AND (created_at, id) < ($3::timestamptz, $4::uuid)
ORDER BY created_at DESC, id DESC LIMIT $2::int`

const forgetKeysSQL = `DELETE FROM idempotency_keys WHERE (tenant_id, key) IN (
    SELECT tenant_id, key FROM idempotency_keys WHERE created_at < $1::timestamptz
    ORDER BY created_at LIMIT $2::int FOR UPDATE SKIP LOCKED)`
