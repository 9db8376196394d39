-- A day's takings are read from the index alone.
CREATE INDEX order_changes_day_idx ON order_changes (tenant_id, changed_at)
    INCLUDE (status, undone, total_amount, currency);
DROP INDEX order_changes_tenant_idx;
