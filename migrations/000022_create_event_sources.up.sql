-- Which tenants an order service of their own may speak for. Orderbell's, /orderbell/order-api, may speak for all and needs
-- no row.
CREATE TABLE event_sources (
    source     text NOT NULL CHECK (source NOT IN ('', '/orderbell/order-api') AND octet_length(source) <= 255),
    tenant_id  text NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    allowed_at timestamptz NOT NULL DEFAULT now(),
    allowed_by text NOT NULL,
    PRIMARY KEY (source, tenant_id)
);

CREATE INDEX event_sources_tenant_idx ON event_sources (tenant_id);

-- Before this table existed, every source could speak for every tenant: those whose events are known go on.
INSERT INTO event_sources (source, tenant_id, allowed_by)
SELECT DISTINCT e.source, e.tenant_id, 'migration' FROM event_records e JOIN tenants t ON t.id = e.tenant_id
WHERE e.source NOT IN ('', '/orderbell/order-api') AND octet_length(e.source) <= 255;
