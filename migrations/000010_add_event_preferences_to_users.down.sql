DROP FUNCTION quiet_until(timestamptz, text, text);

ALTER TABLE users
    DROP COLUMN quiet_hours,
    DROP COLUMN time_zone,
    DROP COLUMN notification_in_app_events,
    DROP COLUMN notification_email_events;
