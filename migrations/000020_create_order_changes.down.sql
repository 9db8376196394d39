DROP POLICY one_tenant ON email_deliveries;
ALTER TABLE email_deliveries DISABLE ROW LEVEL SECURITY;
REVOKE ALL (tenant_id, user_id, event_source, event_id, order_id, status, reason, attempt, next_attempt_at, sent_at)
    ON email_deliveries FROM orderbell_api;
DROP POLICY one_tenant ON event_records;
ALTER TABLE event_records DISABLE ROW LEVEL SECURITY;
REVOKE ALL (event_day, source, event_id, tenant_id, order_id, order_version, decisions) ON event_records FROM orderbell_api;
DROP INDEX orders_reference_idx;
DROP INDEX orders_tenant_status_idx;
DROP TABLE order_changes;
ALTER TABLE orders DROP COLUMN undo_status;
