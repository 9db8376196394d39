-- outbox-relay looks for unsent rows after the newest one before which all are sent.
CREATE INDEX IF NOT EXISTS outbox_unsent_id_idx ON outbox (id) WHERE sent_at IS NULL;
