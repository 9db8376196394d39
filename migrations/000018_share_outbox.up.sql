-- outbox-relay takes unsent events of each tenant in turn: the index leads to the tenants of a shard, and to the oldest
-- events of each.
CREATE INDEX outbox_unsent_tenant_idx ON outbox (shard, tenant_id, id) WHERE sent_at IS NULL;
DROP INDEX outbox_unsent_idx;
