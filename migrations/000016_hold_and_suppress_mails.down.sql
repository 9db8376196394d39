DROP TABLE mail_hours;
DROP INDEX email_deliveries_turn_idx;
DROP TABLE mail_suppressions;
ALTER TABLE email_deliveries DROP COLUMN audience, DROP COLUMN held;
