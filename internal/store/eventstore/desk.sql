-- Mails as operators see them; one that asks to confirm an address has no order. @ids are of mails or events; a NULL or empty parameter chooses nothing.
SELECT d.id::text, d.tenant_id, d.user_id::text, u.email, d.event_id::text, d.event_type, coalesce(d.order_id::text, ''), d.message_id, d.status, d.reason,
    d.attempt, d.ambiguous, d.next_attempt_at, d.sent_at, d.created_at, d.status = 'due' AND coalesce(d.lease_until > now(), false),
    coalesce((SELECT s.reason FROM mail_suppressions s WHERE s.address = lower(u.email)), '')
FROM email_deliveries d JOIN users u ON u.id = d.user_id
WHERE (@ids::text[] IS NULL OR d.id::text = ANY (@ids) OR d.event_id::text = ANY (@ids))
    AND (@statuses::text[] IS NULL OR d.status = ANY (@statuses))
    AND (@tenant_id = '' OR d.tenant_id = @tenant_id)
    AND (@email = '' OR lower(u.email) = lower(@email))
    AND strpos(lower(d.reason), lower(@reason)) > 0
    AND d.created_at >= @since::timestamptz
ORDER BY d.created_at, d.id
LIMIT @limit
