-- A trace goes on through the outbox, and with a mail that is sent later: W3C's tracestate beside its traceparent.
ALTER TABLE outbox ADD COLUMN IF NOT EXISTS tracestate text NOT NULL DEFAULT '';
ALTER TABLE email_deliveries
    ADD COLUMN IF NOT EXISTS traceparent text NOT NULL DEFAULT '', -- of the event's delivery to its function
    ADD COLUMN IF NOT EXISTS tracestate  text NOT NULL DEFAULT '';
