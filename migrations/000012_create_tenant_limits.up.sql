-- What a tenant may use at most, where the operator has chosen something else than the default of the configuration.
-- NULL means the default. The names of the columns are the names of the limits, in `orderbell tenant limits` too.
CREATE TABLE tenant_limits (
    tenant_id         text PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    max_users         bigint CHECK (max_users >= 1),
    max_invitations   bigint CHECK (max_invitations >= 0), -- users whose address is not confirmed
    orders_per_second bigint CHECK (orders_per_second >= 1), -- orders created and changed over the API
    mails_per_hour    bigint CHECK (mails_per_hour >= 0),
    max_streams       bigint CHECK (max_streams >= 0), -- of one gateway
    log_bytes         bigint CHECK (log_bytes >= 65536), -- of the events that one gateway keeps for the tenant
    updated_at        timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT ON tenant_limits TO orderbell_api;
ALTER TABLE tenant_limits ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON tenant_limits TO orderbell_api USING (tenant_id = api_tenant());
