-- Takes an event in: all of it or, where its record is there already, nothing.
-- $1 event_day, $2 source, $3 event_id, $4 type, $5 tenant_id, $6 order_id, $7 order_version, $8 data_hash, $9 data,
-- $10 occurred_at, $11 traceparent, $12 roles of the audience, $13 domain of Message-IDs
WITH person AS (
    SELECT id,
        roles && $12::text[] AS eligible,
        notification_in_app_enabled AS in_app,
        notification_email_enabled AS email,
        -- The id of what this person gets of this event, the same whenever it is computed: a UUIDv8 (RFC 9562) that
        -- begins with the event id's time, so that index pages fill in order, and goes on with a hash.
        (left($3::uuid::text, 14) || '8' || left(hash, 3) || '-8' || substr(hash, 4, 3) || '-' || substr(hash, 7, 12))::uuid AS notice_id
    FROM users,
        LATERAL (SELECT encode(sha256(convert_to(concat_ws(' ', $2::text, $3::uuid, id), 'UTF8')), 'hex') AS hash) AS derived
    WHERE tenant_id = $5 AND cardinality($12::text[]) > 0
), decision AS (
    SELECT id, channel,
        CASE WHEN eligible AND wanted THEN granted ELSE 'suppressed' END AS outcome,
        CASE WHEN NOT eligible THEN 'role' WHEN NOT wanted THEN 'preference' ELSE '' END AS reason
    FROM person,
        LATERAL (VALUES (1, 'in_app', in_app, 'notified'), (2, 'email', email, 'due')) AS c (n, channel, wanted, granted)
    ORDER BY id, n
), record AS (
    INSERT INTO event_records (event_day, source, event_id, type, tenant_id, order_id, order_version, data_hash, data,
        occurred_at, traceparent, decisions)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, coalesce((
        SELECT jsonb_agg(jsonb_build_object('user_id', id, 'channel', channel, 'outcome', outcome, 'reason', reason))
        FROM decision), '[]'))
    ON CONFLICT (event_day, source, event_id) DO NOTHING
    RETURNING tenant_id
), notified AS (
    INSERT INTO notifications (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data)
    SELECT notice_id, tenant_id, id, $2, $3, $4, $6, $9 FROM record, person WHERE eligible AND in_app
    RETURNING user_id, id
), due AS (
    INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, message_id)
    SELECT notice_id, tenant_id, id, $2, $3, $4, $6, $9, notice_id || '@' || $13 FROM record, person WHERE eligible AND email
    RETURNING id
)
SELECT EXISTS (SELECT FROM record) AS applied,
    ARRAY(SELECT user_id::text FROM notified ORDER BY user_id) AS user_ids,
    ARRAY(SELECT id::text FROM notified ORDER BY user_id) AS notification_ids,
    (SELECT count(*) FROM due) AS due_mails
