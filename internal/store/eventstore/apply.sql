-- Applies an event: writes its record, a notification and a due mail for each user who wants one. If the record exists, it
-- changes nothing.
-- @roles is the audience; @mail_domain is the domain of Message-IDs; @opt_in limits the audience to users who have opted in to
-- events of @type.
WITH candidate AS (
    SELECT id, roles, notification_in_app_enabled AS in_app, notification_email_enabled AS email, time_zone, quiet_hours,
        @type = ANY (notification_in_app_events) AS in_app_event,
        @type = ANY (notification_email_events) AS email_event,
        email_confirmed_at IS NULL AS unconfirmed,
        EXISTS (SELECT FROM mail_suppressions s WHERE s.address = lower(users.email)) AS no_mailbox
    FROM users WHERE tenant_id = @tenant_id AND cardinality(@roles::text[]) > 0
), recipient AS (
    SELECT id, in_app, in_app_event, email, email_event, unconfirmed, no_mailbox,
        roles && @roles::text[] AS eligible,
        CASE WHEN email AND email_event AND NOT unconfirmed AND NOT no_mailbox THEN quiet_until(now(), time_zone, quiet_hours) END AS quiet,
        -- The notification's id is derived from the event and the user, so that it is the same each time: a UUIDv8 (RFC 9562)
        -- that starts with the time of the event's id, which keeps index pages in order, followed by a hash.
        (left(@event_id::uuid::text, 14) || '8' || left(hash, 3) || '-8' || substr(hash, 4, 3) || '-' || substr(hash, 7, 12))::uuid AS notification_id
    FROM candidate,
        LATERAL (SELECT encode(sha256(convert_to(concat_ws(' ', @source::text, @event_id::uuid, id), 'UTF8')), 'hex') AS hash) AS derived
    WHERE NOT @opt_in::boolean OR in_app_event OR email_event
), decision AS (
    SELECT id, channel,
        CASE WHEN reason IN ('', 'quiet hours') THEN granted ELSE 'suppressed' END AS outcome, reason
    FROM recipient,
        LATERAL (VALUES
            (1, 'in_app', in_app, in_app_event, false, false, NULL, 'notified'),
            (2, 'email', email, email_event, unconfirmed, no_mailbox, quiet, CASE WHEN quiet IS NULL THEN 'due' ELSE 'deferred' END)
        ) AS c (n, channel, wanted, wanted_event, unproven, unreachable, deferred, granted),
        LATERAL (SELECT CASE WHEN NOT eligible THEN 'role' WHEN NOT wanted THEN 'preference'
            WHEN NOT wanted_event THEN 'event preference' WHEN unproven THEN 'address not confirmed' WHEN unreachable THEN 'address'
            WHEN deferred IS NOT NULL THEN 'quiet hours' ELSE '' END) AS r (reason)
    ORDER BY id, n
), record AS (
    INSERT INTO event_records (event_day, source, event_id, type, tenant_id, order_id, order_version, data_hash, data,
        occurred_at, traceparent, decisions)
    VALUES (@event_day, @source, @event_id, @type, @tenant_id, @order_id, @order_version, @data_hash, @data, @occurred_at, @traceparent, coalesce((
        SELECT jsonb_agg(jsonb_build_object('user_id', id, 'channel', channel, 'outcome', outcome, 'reason', reason))
        FROM decision), '[]'))
    ON CONFLICT (event_day, source, event_id) DO NOTHING
    RETURNING tenant_id
), notified AS (
    INSERT INTO notifications (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data)
    SELECT notification_id, tenant_id, id, @source, @event_id, @type, @order_id, @data FROM record, recipient WHERE eligible AND in_app AND in_app_event
    RETURNING user_id, id
), due AS (
    INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, message_id,
        next_attempt_at, reason, audience)
    SELECT notification_id, tenant_id, id, @source, @event_id, @type, @order_id, @data, notification_id || '@' || @mail_domain, coalesce(quiet, now()),
        CASE WHEN quiet IS NULL THEN '' ELSE 'quiet hours' END, @roles
    FROM record, recipient WHERE eligible AND email AND email_event AND NOT unconfirmed AND NOT no_mailbox
    RETURNING next_attempt_at
)
SELECT EXISTS (SELECT FROM record) AS applied,
    ARRAY(SELECT user_id::text FROM notified ORDER BY user_id) AS user_ids,
    ARRAY(SELECT id::text FROM notified ORDER BY user_id) AS notification_ids,
    (SELECT count(*) FROM due WHERE next_attempt_at <= now()) AS due_mails
