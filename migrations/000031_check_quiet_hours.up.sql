-- As user.IsQuietHours: two different times. No API has taken equal ones, which quiet_until takes for the whole day.
UPDATE users SET quiet_hours = '' WHERE quiet_hours <> '' AND left(quiet_hours, 5) = right(quiet_hours, 5);
ALTER TABLE users
    DROP CONSTRAINT users_quiet_hours_check,
    ADD CONSTRAINT users_quiet_hours_check CHECK (
        quiet_hours ~ '^(([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?$'
        AND (quiet_hours = '' OR left(quiet_hours, 5) <> right(quiet_hours, 5)));
