DROP TABLE confirmation_mails;
DROP POLICY confirmation ON email_deliveries;
REVOKE INSERT (id, tenant_id, user_id, event_source, event_id, event_type, data, message_id) ON email_deliveries FROM orderbell_api;
DELETE FROM email_deliveries WHERE order_id IS NULL;
ALTER TABLE email_deliveries ALTER COLUMN order_id SET NOT NULL;
DROP POLICY invited ON users;
DROP TRIGGER users_email_unconfirmed ON users;
DROP FUNCTION forget_confirmation();
ALTER TABLE users DROP COLUMN email_confirmed_at, DROP COLUMN invitation_expires_at, DROP COLUMN confirmation_asked_at;
