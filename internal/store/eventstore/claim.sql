-- Claims the one due e-mail, of those that %[1]s holds for, that is due longest. $1 is the lease.
-- The person's wishes are looked at anew: who wants no mail any more gets none, and whose quiet hours it is gets it later.
-- A lease that ran out without a mark may hide a mail that went out: it counts as ambiguous.
WITH next AS (
    SELECT d.id, d.lease_until IS NOT NULL AS abandoned, u.email, u.name, u.time_zone,
        CASE WHEN NOT u.notification_email_enabled THEN 'preference'
            WHEN NOT d.event_type = ANY (u.notification_email_events) THEN 'event preference' END AS unwanted,
        quiet_until(now(), u.time_zone, u.quiet_hours) AS quiet
    FROM email_deliveries d JOIN users u ON u.id = d.user_id
    WHERE d.status = 'due' AND d.next_attempt_at <= now() AND %[1]s
    ORDER BY d.next_attempt_at
    LIMIT 1
    FOR UPDATE OF d SKIP LOCKED
), outcome AS (
    SELECT *, unwanted IS NULL AND quiet IS NULL AS granted FROM next
)
UPDATE email_deliveries d SET
    attempt = d.attempt + o.granted::integer,
    ambiguous = d.ambiguous + o.abandoned::integer,
    status = CASE WHEN o.unwanted IS NULL THEN 'due' ELSE 'suppressed' END,
    reason = CASE WHEN o.unwanted IS NOT NULL THEN o.unwanted WHEN o.quiet IS NOT NULL THEN 'quiet hours' ELSE d.reason END,
    lease_until = CASE WHEN o.granted THEN now() + $1::interval END,
    -- Behind all that is due now, so that the next claim does not look at it again.
    next_attempt_at = CASE WHEN o.unwanted IS NOT NULL THEN d.next_attempt_at ELSE coalesce(o.quiet, now() + $1::interval) END
FROM outcome o, tenants t
WHERE d.id = o.id AND t.id = d.tenant_id
RETURNING d.id::text, d.attempt, d.message_id, o.unwanted IS NOT NULL AS opted_out,
    o.unwanted IS NULL AND o.quiet IS NOT NULL AS deferred, o.abandoned,
    d.event_source, d.event_id::text, d.event_type, d.data, t.name AS tenant_name, t.locale, d.user_id::text, o.email, o.name, o.time_zone
