ALTER TABLE users
    DROP COLUMN notification_in_app_enabled,
    DROP COLUMN notification_email_enabled;
