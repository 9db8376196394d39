-- One row per event that a function has taken in: the memory of exactly-once. Partitioned by the event's own day, so
-- that forgetting a day is dropping a table.
CREATE TABLE event_records (
    event_day     date NOT NULL,
    source        text NOT NULL,
    event_id      uuid NOT NULL,
    type          text NOT NULL,
    tenant_id     text NOT NULL,
    order_id      uuid NOT NULL,
    order_version bigint NOT NULL,
    data_hash     bytea NOT NULL, -- SHA-256 of data: the same id with other bytes is refused
    data          jsonb NOT NULL,
    occurred_at   timestamptz NOT NULL,
    traceparent   text NOT NULL DEFAULT '',
    -- Who was considered and what came of it: [{"user_id", "channel", "outcome", "reason"}]
    decisions     jsonb NOT NULL DEFAULT '[]',
    received_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_day, source, event_id)
) PARTITION BY RANGE (event_day);

CREATE INDEX event_records_event_id_idx ON event_records (event_id);
CREATE INDEX event_records_order_idx ON event_records (order_id, order_version);

-- Makes the partitions of the days first_day to last_day that do not exist yet, and returns how many it made.
CREATE FUNCTION ensure_event_record_partitions(first_day date, last_day date) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    d date := first_day;
    partition_name text;
    made integer := 0;
BEGIN
    -- One maker at a time: CREATE TABLE IF NOT EXISTS alone can still collide.
    PERFORM pg_advisory_xact_lock(hashtext('ensure_event_record_partitions'));
    WHILE d <= last_day LOOP
        partition_name := 'event_records_' || to_char(d, 'YYYYMMDD');
        IF to_regclass(partition_name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF event_records FOR VALUES FROM (%L) TO (%L)',
                partition_name, d, d + 1);
            made := made + 1;
        END IF;
        d := d + 1;
    END LOOP;
    RETURN made;
END
$$;

SELECT ensure_event_record_partitions((now() AT TIME ZONE 'UTC')::date - 1, (now() AT TIME ZONE 'UTC')::date + 7);
