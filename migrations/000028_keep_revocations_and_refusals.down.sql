REVOKE UPDATE (ambiguous) ON email_deliveries FROM orderbell_operator;
REVOKE SELECT (id, at), DELETE ON audit_records FROM orderbell_delivery_sweeper;
REVOKE INSERT ON audit_records FROM orderbell_reader;
DROP TABLE refusals;
DROP TABLE revocations;
