-- Who did what, from where, and with what outcome. A change and its record are written in one transaction. Records stay
-- when the user or the tenant that they name is removed, so there are no foreign keys.
CREATE TABLE audit_records (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id text NOT NULL CHECK (length(tenant_id) <= 64),
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor     text NOT NULL CHECK (length(actor) <= 300), -- user:<id>, service:<name>, operator:<name>, or '' for unknown
    action    text NOT NULL CHECK (length(action) <= 64), -- such as user.removed
    target    text NOT NULL DEFAULT '' CHECK (length(target) <= 300), -- such as user:<id>
    address   text NOT NULL DEFAULT '' CHECK (length(address) <= 64), -- the client's, as far as it is known
    outcome   text NOT NULL CHECK (outcome IN ('done', 'refused')),
    detail    text NOT NULL DEFAULT '' CHECK (length(detail) <= 1000), -- what changed, or why it was refused
    times     bigint NOT NULL DEFAULT 1 CHECK (times >= 1) -- equal refusals close to each other are one record
);

CREATE INDEX audit_records_tenant_idx ON audit_records (tenant_id, id);
CREATE INDEX audit_records_at_idx ON audit_records (at);

GRANT INSERT ON audit_records TO orderbell_api;
ALTER TABLE audit_records ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON audit_records TO orderbell_api USING (tenant_id = api_tenant());
