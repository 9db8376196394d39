REVOKE UPDATE (status, reason, held, next_attempt_at, lease_until) ON email_deliveries FROM orderbell_operator;
REVOKE DELETE ON mail_suppressions FROM orderbell_operator;
