-- The tenants that have due mails and may send more this hour, the one whose mail is due longest first.
-- @mails_per_hour is for tenants without a limit of their own. It takes two index look-ups per tenant with waiting mails,
-- however many mails a tenant has.
WITH RECURSIVE waiting AS (
    (SELECT tenant_id FROM email_deliveries WHERE status = 'due' ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.tenant_id FROM email_deliveries d WHERE d.status = 'due' AND d.tenant_id > w.tenant_id ORDER BY d.tenant_id LIMIT 1)
    FROM waiting w WHERE w.tenant_id IS NOT NULL
)
SELECT w.tenant_id
FROM waiting w
    CROSS JOIN LATERAL (
        SELECT d.next_attempt_at FROM email_deliveries d
        WHERE d.status = 'due' AND d.tenant_id = w.tenant_id ORDER BY d.next_attempt_at LIMIT 1
    ) AS first
    LEFT JOIN tenant_limits l ON l.tenant_id = w.tenant_id
    LEFT JOIN mail_hours h ON h.tenant_id = w.tenant_id AND h.hour = date_trunc('hour', now(), 'UTC')
WHERE first.next_attempt_at <= now() AND coalesce(h.mails, 0) < coalesce(l.mails_per_hour, @mails_per_hour)
ORDER BY first.next_attempt_at
