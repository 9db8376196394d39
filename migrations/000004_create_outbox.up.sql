-- Events that an order's transaction wrote and outbox-relay takes to Kafka. An order's rows are written under its row
-- lock, so their ids rise with its version.
CREATE TABLE outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard       smallint NOT NULL CHECK (shard BETWEEN 0 AND 15), -- hash of order_id; one relay holds a shard at a time
    event_id    uuid NOT NULL UNIQUE,
    source      text NOT NULL,
    type        text NOT NULL,
    tenant_id   text NOT NULL,
    order_id    uuid NOT NULL,
    data        bytea NOT NULL, -- the CloudEvent's JSON data, byte for byte
    occurred_at timestamptz NOT NULL,
    traceparent text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    sent_at     timestamptz
);

CREATE INDEX outbox_unsent_idx ON outbox (shard, id) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent_idx ON outbox (sent_at) WHERE sent_at IS NOT NULL;
