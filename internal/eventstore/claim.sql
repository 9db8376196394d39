-- Claims the one due e-mail, of those that %[1]s holds for, that is due longest. $1 is the lease.
-- A lease that ran out without a mark may hide a mail that went out: it counts as ambiguous.
WITH next AS (
    SELECT d.id, d.lease_until IS NOT NULL AS abandoned, u.notification_email_enabled AS wanted, u.email, u.name
    FROM email_deliveries d JOIN users u ON u.id = d.user_id
    WHERE d.status = 'due' AND d.next_attempt_at <= now() AND %[1]s
    ORDER BY d.next_attempt_at
    LIMIT 1
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE email_deliveries d SET
    attempt = d.attempt + 1,
    ambiguous = d.ambiguous + next.abandoned::integer,
    status = CASE WHEN next.wanted THEN 'due' ELSE 'suppressed' END,
    reason = CASE WHEN next.wanted THEN d.reason ELSE 'preference' END,
    lease_until = CASE WHEN next.wanted THEN now() + $1::interval END,
    -- Behind all that is due now, so that the next claim does not look at it again.
    next_attempt_at = CASE WHEN next.wanted THEN now() + $1::interval ELSE d.next_attempt_at END
FROM next, tenants t
WHERE d.id = next.id AND t.id = d.tenant_id
RETURNING d.id::text, d.attempt, d.message_id, NOT next.wanted AS opted_out, next.abandoned,
    d.event_source, d.event_id::text, d.event_type, d.data, t.name AS tenant_name, t.locale, next.email, next.name
