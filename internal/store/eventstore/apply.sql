-- Applies events of one type for one audience: writes the record of each, and a notification and a due mail for each user who
-- wants one. For an event whose record exists it changes nothing. It returns a row for each event, by its number.
-- The arguments that are named in the plural are arrays with a value for each event; no two events have the same day, source
-- and id. @roles is the audience; @mail_domain is the domain of Message-IDs; @opt_in limits the audience to users who have
-- opted in to events of @type.
WITH event AS MATERIALIZED (
    -- A sub-select hides the length of an array from the planner, which otherwise plans every batch again, for longer than it runs.
    SELECT * FROM unnest((SELECT @event_days::date[]), (SELECT @sources::text[]), (SELECT @event_ids::uuid[]), (SELECT @tenant_ids::text[]),
        (SELECT @order_ids::uuid[]), (SELECT @order_versions::bigint[]), (SELECT @data_hashes::bytea[]), (SELECT @datas::jsonb[]),
        (SELECT @occurred::timestamptz[]), (SELECT @traceparents::text[]), (SELECT @tracestates::text[]))
        WITH ORDINALITY AS e (event_day, source, event_id, tenant_id, order_id, order_version, data_hash, data, occurred_at, traceparent, tracestate, n)
), recipient AS MATERIALIZED (
    SELECT n, u.id, in_app, in_app_event, email, email_event, unconfirmed, no_mailbox, eligible,
        CASE WHEN email AND email_event AND NOT unconfirmed AND NOT no_mailbox THEN quiet_until(now(), time_zone, quiet_hours) END AS quiet,
        -- The notification's id is derived from the event and the user, so that it is the same each time: a UUIDv8 (RFC 9562)
        -- that starts with the time of the event's id, which keeps index pages in order, followed by a hash.
        (left(event_id::text, 14) || '8' || left(hash, 3) || '-8' || substr(hash, 4, 3) || '-' || substr(hash, 7, 12))::uuid AS notification_id
    FROM event CROSS JOIN LATERAL (
        SELECT id, roles && @roles::text[] AS eligible, notification_in_app_enabled AS in_app, notification_email_enabled AS email,
            time_zone, quiet_hours,
            @type::text = ANY (notification_in_app_events) AS in_app_event,
            @type = ANY (notification_email_events) AS email_event,
            email_confirmed_at IS NULL AS unconfirmed,
            EXISTS (SELECT FROM mail_suppressions s WHERE s.address = lower(users.email)) AS no_mailbox,
            encode(sha256(convert_to(concat_ws(' ', event.source, event.event_id, id), 'UTF8')), 'hex') AS hash
        FROM users WHERE users.tenant_id = event.tenant_id AND cardinality(@roles) > 0
        OFFSET 0 -- a fence: the users of each event are found by the index
    ) u
    WHERE NOT @opt_in::boolean OR in_app_event OR email_event
), decision AS (
    SELECT n, jsonb_agg(jsonb_build_object('user_id', id, 'channel', channel, 'outcome',
        CASE WHEN reason IN ('', 'quiet hours') THEN granted ELSE 'suppressed' END, 'reason', reason) ORDER BY id, nth) AS decisions
    FROM recipient,
        LATERAL (VALUES
            (1, 'in_app', in_app, in_app_event, false, false, NULL, 'notified'),
            (2, 'email', email, email_event, unconfirmed, no_mailbox, quiet, CASE WHEN quiet IS NULL THEN 'due' ELSE 'deferred' END)
        ) AS c (nth, channel, wanted, wanted_event, unproven, unreachable, deferred, granted),
        LATERAL (SELECT CASE WHEN NOT eligible THEN 'role' WHEN NOT wanted THEN 'preference'
            WHEN NOT wanted_event THEN 'event preference' WHEN unproven THEN 'address not confirmed' WHEN unreachable THEN 'address'
            WHEN deferred IS NOT NULL THEN 'quiet hours' ELSE '' END) AS r (reason)
    GROUP BY n
), record AS (
    INSERT INTO event_records (event_day, source, event_id, type, tenant_id, order_id, order_version, data_hash, data,
        occurred_at, traceparent, decisions)
    SELECT event_day, source, event_id, @type, tenant_id, order_id, order_version, data_hash, data, occurred_at, traceparent, coalesce(decisions, '[]')
    FROM event LEFT JOIN decision USING (n)
    ORDER BY event_day, source, event_id -- every batch locks in the same order
    ON CONFLICT (event_day, source, event_id) DO NOTHING
    RETURNING event_day, source, event_id
), fresh AS MATERIALIZED (
    SELECT event.* FROM event JOIN record USING (event_day, source, event_id)
), notified AS (
    INSERT INTO notifications (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data)
    SELECT notification_id, tenant_id, id, source, event_id, @type, order_id, data FROM fresh JOIN recipient USING (n)
    WHERE eligible AND in_app AND in_app_event
    RETURNING event_source, event_id, user_id, id
), due AS (
    INSERT INTO email_deliveries (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data, message_id,
        next_attempt_at, reason, audience, traceparent, tracestate)
    SELECT notification_id, tenant_id, id, source, event_id, @type, order_id, data, notification_id || '@' || @mail_domain, coalesce(quiet, now()),
        CASE WHEN quiet IS NULL THEN '' ELSE 'quiet hours' END, @roles, traceparent, tracestate
    FROM fresh JOIN recipient USING (n)
    WHERE eligible AND email AND email_event AND NOT unconfirmed AND NOT no_mailbox
    RETURNING event_source, event_id, next_attempt_at
), told AS (
    SELECT event_source, event_id, array_agg(user_id::text ORDER BY user_id) AS user_ids, array_agg(id::text ORDER BY user_id) AS notification_ids
    FROM notified GROUP BY event_source, event_id
), mailed AS (
    SELECT event_source, event_id, count(*) AS mails FROM due WHERE next_attempt_at <= now() GROUP BY event_source, event_id
)
SELECT e.n, fresh.n IS NOT NULL AS applied, coalesce(user_ids, '{}') AS user_ids, coalesce(notification_ids, '{}') AS notification_ids, coalesce(mails, 0) AS due_mails
FROM event e
    LEFT JOIN fresh USING (n)
    LEFT JOIN told ON told.event_source = fresh.source AND told.event_id = fresh.event_id
    LEFT JOIN mailed ON mailed.event_source = fresh.source AND mailed.event_id = fresh.event_id
