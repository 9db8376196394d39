-- The state that the latest change of an order left, where that change can be undone; '' where it cannot.
ALTER TABLE orders ADD COLUMN undo_status text NOT NULL DEFAULT ''
    CHECK (undo_status IN ('', 'submitted', 'paid', 'preparing', 'ready'));

-- Every change of every order: who, when, and by which event it was told. Written in the statement that makes the change.
-- Amount and currency are the order's, which never change: a day's takings are read from one index.
CREATE TABLE order_changes (
    tenant_id    text NOT NULL REFERENCES tenants (id),
    order_id     uuid NOT NULL,
    version      bigint NOT NULL,
    status       text NOT NULL, -- after the change
    undone       text NOT NULL DEFAULT '', -- the state that was taken back, '' for a step forward
    event_id     uuid NOT NULL,
    actor_id     text NOT NULL DEFAULT '', -- the token's user; '' where it is not known
    actor_name   text NOT NULL DEFAULT '', -- as it was then
    total_amount bigint NOT NULL,
    currency     text NOT NULL,
    changed_at   timestamptz NOT NULL,
    PRIMARY KEY (order_id, version)
);

CREATE INDEX order_changes_tenant_idx ON order_changes (tenant_id, changed_at);

-- What the functions remember of earlier changes. Older ones, and who made them, are not known any more.
INSERT INTO order_changes (tenant_id, order_id, version, status, event_id, total_amount, currency, changed_at)
SELECT o.tenant_id, o.id, e.order_version, e.data->>'status', e.event_id, o.total_amount, o.currency, e.occurred_at
FROM event_records e JOIN orders o ON o.id = e.order_id AND o.tenant_id = e.tenant_id
WHERE e.source = '/orderbell/order-api'
ON CONFLICT DO NOTHING;

GRANT SELECT, INSERT ON order_changes TO orderbell_api;
ALTER TABLE order_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON order_changes TO orderbell_api USING (tenant_id = api_tenant());

-- A page of the orders in some states, and their number up to a bound, cost the same in a shop of any age.
CREATE INDEX orders_tenant_status_idx ON orders (tenant_id, status, created_at DESC, id DESC);
-- Plain equality: row-level security lets no other condition on a text use an index.
CREATE INDEX orders_reference_idx ON orders (tenant_id, reference, created_at DESC, id DESC)
    WHERE reference <> '';

-- Who was told of an order's events, and why not: what the functions decided, and what became of the mails.
GRANT SELECT (event_day, source, event_id, tenant_id, order_id, order_version, decisions) ON event_records TO orderbell_api;
ALTER TABLE event_records ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON event_records TO orderbell_api USING (tenant_id = api_tenant());
GRANT SELECT (tenant_id, user_id, event_source, event_id, order_id, status, reason, attempt, next_attempt_at, sent_at)
    ON email_deliveries TO orderbell_api;
ALTER TABLE email_deliveries ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON email_deliveries TO orderbell_api USING (tenant_id = api_tenant());
