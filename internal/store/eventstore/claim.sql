-- Claims one due mail of a tenant: the one that has been due longest, unless the tenant has used up its mails of the hour.
-- To claim a mail of one event, New replaces the condition on @tenant_id with one on @source and @event_id.
-- @mails_per_hour and @max_invitations are for tenants without limits of their own.
-- Confirmation mails are limited: an address gets one a day, and a tenant sends max_invitations a day.
-- Roles, preferences and the suppression list are read again: a user who may not or does not want to get the mail any more
-- gets none, and a user in quiet hours gets it later.
-- An expired lease without a mark may hide a mail that was sent: it counts as ambiguous.
WITH next AS (
    SELECT d.id, d.tenant_id, d.lease_until IS NOT NULL AS abandoned, u.email, u.name, u.time_zone,
        lower(u.email) AS address, d.event_type = 'address_confirmation' AS asks, u.invitation_expires_at,
        coalesce(l.max_invitations, @max_invitations) AS max_invitations,
        CASE WHEN d.event_type = 'address_confirmation' THEN
                CASE WHEN u.email_confirmed_at IS NOT NULL THEN 'address confirmed'
                    WHEN u.invitation_expires_at <= now() THEN 'invitation expired' END
            WHEN NOT u.roles && d.audience THEN 'role'
            WHEN NOT u.notification_email_enabled THEN 'preference'
            WHEN NOT d.event_type = ANY (u.notification_email_events) THEN 'event preference'
            WHEN u.email_confirmed_at IS NULL THEN 'address not confirmed' END AS unwanted,
        EXISTS (SELECT FROM mail_suppressions s WHERE s.address = lower(u.email)) AS no_mailbox,
        CASE WHEN d.event_type <> 'address_confirmation' THEN quiet_until(now(), u.time_zone, u.quiet_hours) END AS quiet
    FROM email_deliveries d JOIN users u ON u.id = d.user_id
        LEFT JOIN tenant_limits l ON l.tenant_id = d.tenant_id
        LEFT JOIN mail_hours h ON h.tenant_id = d.tenant_id AND h.hour = date_trunc('hour', now(), 'UTC')
    WHERE d.status = 'due' AND d.next_attempt_at <= now() AND d.tenant_id = @tenant_id
        AND coalesce(h.mails, 0) < coalesce(l.mails_per_hour, @mails_per_hour)
    ORDER BY d.next_attempt_at
    LIMIT 1
    FOR UPDATE OF d SKIP LOCKED
), judged AS (
    SELECT *, coalesce(unwanted, CASE WHEN no_mailbox THEN 'address' END) AS reason FROM next
), asked AS (
    -- The row of the address is locked until the end: of two claims for one address, the second finds the first.
    INSERT INTO confirmation_mails AS c (address, tenant_id, delivery_id)
    SELECT address, tenant_id, id FROM judged j
    WHERE asks AND reason IS NULL AND max_invitations > (SELECT count(*) FROM confirmation_mails m
        WHERE m.tenant_id = j.tenant_id AND m.at > now() - interval '1 day' AND m.delivery_id <> j.id)
    ON CONFLICT (address) DO UPDATE SET tenant_id = excluded.tenant_id, delivery_id = excluded.delivery_id, at = now()
    WHERE c.at <= now() - interval '1 day' OR c.delivery_id = excluded.delivery_id
    RETURNING delivery_id
), outcome AS (
    SELECT id, tenant_id, abandoned, email, name, time_zone, invitation_expires_at, reason AS unwanted,
        CASE WHEN asks AND NOT EXISTS (SELECT FROM asked) THEN 'one confirmation a day' ELSE 'quiet hours' END AS waits,
        CASE WHEN asks AND NOT EXISTS (SELECT FROM asked) THEN now() + interval '1 hour' ELSE quiet END AS later,
        reason IS NULL AND quiet IS NULL AND (NOT asks OR EXISTS (SELECT FROM asked)) AS granted
    FROM judged
), counted AS (
    INSERT INTO mail_hours AS h (tenant_id, hour, mails)
    SELECT tenant_id, date_trunc('hour', now(), 'UTC'), 1 FROM outcome WHERE granted
    ON CONFLICT (tenant_id) DO UPDATE SET
        hour = excluded.hour,
        mails = CASE WHEN h.hour = excluded.hour THEN h.mails + 1 ELSE 1 END
)
UPDATE email_deliveries d SET
    attempt = d.attempt + o.granted::integer,
    ambiguous = d.ambiguous + o.abandoned::integer,
    status = CASE WHEN o.unwanted IS NULL THEN 'due' ELSE 'suppressed' END,
    reason = CASE WHEN o.unwanted IS NOT NULL THEN o.unwanted WHEN o.later IS NOT NULL THEN o.waits ELSE d.reason END,
    lease_until = CASE WHEN o.granted THEN now() + @lease::interval END,
    -- Later than every mail that is due now, so that the next claim does not read it again.
    next_attempt_at = CASE WHEN o.unwanted IS NOT NULL THEN d.next_attempt_at ELSE coalesce(o.later, now() + @lease::interval) END
FROM outcome o, tenants t
WHERE d.id = o.id AND t.id = d.tenant_id
RETURNING d.id::text, d.attempt, d.held, d.message_id, o.unwanted IS NOT NULL AS opted_out,
    o.unwanted IS NULL AND o.later IS NOT NULL AS deferred, o.abandoned,
    d.event_source, d.event_id::text, d.event_type, d.data, t.name AS tenant_name, t.locale, d.user_id::text, o.email, o.name, o.time_zone, d.tenant_id,
    coalesce(o.invitation_expires_at, '0001-01-01T00:00:00Z') AS link_ends, d.traceparent, d.tracestate
