ALTER TABLE users
    ADD COLUMN notification_email_enabled  boolean NOT NULL DEFAULT true,
    ADD COLUMN notification_in_app_enabled boolean NOT NULL DEFAULT true;
