ALTER TABLE email_deliveries DROP COLUMN tracestate, DROP COLUMN traceparent;
ALTER TABLE outbox DROP COLUMN tracestate;
