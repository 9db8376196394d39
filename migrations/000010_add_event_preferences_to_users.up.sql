-- Beyond the two switches: which events a person is told of, by which channel, and when no e-mail shall come.
ALTER TABLE users
    ADD COLUMN notification_email_events  text[] NOT NULL DEFAULT '{order_paid}'
        CHECK (notification_email_events <@ ARRAY['order_created', 'order_paid', 'order_status_updated']),
    ADD COLUMN notification_in_app_events text[] NOT NULL DEFAULT '{order_paid}'
        CHECK (notification_in_app_events <@ ARRAY['order_created', 'order_paid', 'order_status_updated']),
    ADD COLUMN time_zone   text NOT NULL DEFAULT 'UTC' CHECK (length(time_zone) BETWEEN 1 AND 64), -- IANA
    ADD COLUMN quiet_hours text NOT NULL DEFAULT '' -- 22:00-07:00 in that zone, '' for none
        CHECK (quiet_hours ~ '^(([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?$');

-- The end of the quiet hours that the moment lies in, or NULL where it lies in none.
CREATE FUNCTION quiet_until(moment timestamptz, zone text, hours text) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
DECLARE
    local timestamp;
    first time;
    last time;
    until timestamptz;
BEGIN
    IF hours = '' THEN
        RETURN NULL;
    END IF;
    BEGIN
        local := moment AT TIME ZONE zone;
    EXCEPTION WHEN invalid_parameter_value THEN
        -- A zone that this server does not know must not stop the events of a whole tenant.
        zone := 'UTC';
        local := moment AT TIME ZONE zone;
    END;
    first := split_part(hours, '-', 1)::time;
    last := split_part(hours, '-', 2)::time;
    IF first < last AND (local::time < first OR local::time >= last)
        OR first >= last AND local::time < first AND local::time >= last
    THEN
        RETURN NULL;
    END IF;
    until := (local::date + CASE WHEN local::time < last THEN 0 ELSE 1 END + last) AT TIME ZONE zone;
    -- In the hour that a clock that is put back repeats, the end may be behind us.
    RETURN CASE WHEN until > moment THEN until END;
END
$$;
