CREATE INDEX outbox_unsent_idx ON outbox (shard, id) WHERE sent_at IS NULL;
DROP INDEX outbox_unsent_tenant_idx;
