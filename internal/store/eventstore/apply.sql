-- Takes an event in: all of it or, where its record is there already, nothing.
-- $1 event_day, $2 source, $3 event_id, $4 type, $5 tenant_id, $6 order_id, $7 order_version, $8 data_hash, $9 data,
-- $10 occurred_at, $11 traceparent, $12 roles of the audience, $13 domain of Message-IDs, $14 whether only those count
-- who have asked for events of the type
WITH asked AS (
    SELECT id, roles, notification_in_app_enabled AS in_app, notification_email_enabled AS email, time_zone, quiet_hours,
        $4 = ANY (notification_in_app_events) AS in_app_event,
        $4 = ANY (notification_email_events) AS email_event,
        EXISTS (SELECT FROM mail_suppressions s WHERE s.address = lower(users.email)) AS no_mailbox
    FROM users WHERE tenant_id = $5 AND cardinality($12::text[]) > 0
), person AS (
    SELECT id, in_app, in_app_event, email, email_event, no_mailbox,
        roles && $12::text[] AS eligible,
        CASE WHEN email AND email_event AND NOT no_mailbox THEN quiet_until(now(), time_zone, quiet_hours) END AS quiet,
        -- The id of what this person gets of this event, the same whenever it is computed: a UUIDv8 (RFC 9562) that
        -- begins with the event id's time, so that index pages fill in order, and goes on with a hash.
        (left($3::uuid::text, 14) || '8' || left(hash, 3) || '-8' || substr(hash, 4, 3) || '-' || substr(hash, 7, 12))::uuid AS notice_id
    FROM asked,
        LATERAL (SELECT encode(sha256(convert_to(concat_ws(' ', $2::text, $3::uuid, id), 'UTF8')), 'hex') AS hash) AS derived
    WHERE NOT $14::boolean OR in_app_event OR email_event
), decision AS (
    SELECT id, channel,
        CASE WHEN reason IN ('', 'quiet hours') THEN granted ELSE 'suppressed' END AS outcome, reason
    FROM person,
        LATERAL (VALUES
            (1, 'in_app', in_app, in_app_event, false, NULL, 'notified'),
            (2, 'email', email, email_event, no_mailbox, quiet, CASE WHEN quiet IS NULL THEN 'due' ELSE 'deferred' END)
        ) AS c (n, channel, wanted, wanted_event, unreachable, deferred, granted),
        LATERAL (SELECT CASE WHEN NOT eligible THEN 'role' WHEN NOT wanted THEN 'preference'
            WHEN NOT wanted_event THEN 'event preference' WHEN unreachable THEN 'address'
            WHEN deferred IS NOT NULL THEN 'quiet hours' ELSE '' END) AS r (reason)
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
    SELECT notice_id, tenant_id, id, $2, $3, $4, $6, $9 FROM record, person WHERE eligible AND in_app AND in_app_event
    RETURNING user_id, id
), due AS (
    INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, message_id,
        next_attempt_at, reason, audience)
    SELECT notice_id, tenant_id, id, $2, $3, $4, $6, $9, notice_id || '@' || $13, coalesce(quiet, now()),
        CASE WHEN quiet IS NULL THEN '' ELSE 'quiet hours' END, $12
    FROM record, person WHERE eligible AND email AND email_event AND NOT no_mailbox
    RETURNING next_attempt_at
)
SELECT EXISTS (SELECT FROM record) AS applied,
    ARRAY(SELECT user_id::text FROM notified ORDER BY user_id) AS user_ids,
    ARRAY(SELECT id::text FROM notified ORDER BY user_id) AS notification_ids,
    (SELECT count(*) FROM due WHERE next_attempt_at <= now()) AS due_mails
