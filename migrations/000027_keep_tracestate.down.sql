ALTER TABLE email_deliveries DROP COLUMN IF EXISTS tracestate, DROP COLUMN IF EXISTS traceparent;
ALTER TABLE outbox DROP COLUMN IF EXISTS tracestate;
