ALTER TABLE users
    DROP CONSTRAINT users_quiet_hours_check,
    ADD CONSTRAINT users_quiet_hours_check
        CHECK (quiet_hours ~ '^(([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?$');
