CREATE INDEX order_changes_tenant_idx ON order_changes (tenant_id, changed_at);
DROP INDEX order_changes_day_idx;
