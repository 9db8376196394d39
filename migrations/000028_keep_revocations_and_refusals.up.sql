-- Revocations of tokens, so that they outlive Redis: a Redis that comes back without its data would let revoked tokens in at
-- every program that starts afterwards. Kept longer than any token is valid. No foreign keys: a revocation outlives what it names.
CREATE TABLE revocations (
    tenant_id text NOT NULL CHECK (length(tenant_id) <= 64),
    user_id   text NOT NULL DEFAULT '' CHECK (octet_length(user_id) <= 255), -- all that was issued to the user by then
    token_id  text NOT NULL DEFAULT '' CHECK (octet_length(token_id) <= 1000), -- or one token, by its claim jti
    at        timestamptz NOT NULL,
    until     timestamptz NOT NULL, -- by then all these tokens have expired
    PRIMARY KEY (tenant_id, user_id, token_id),
    CHECK ((user_id = '') <> (token_id = ''))
);

CREATE INDEX revocations_until_idx ON revocations (until);

-- Operators write. The programs that check tokens read those of all tenants. No policy may hide one: that would let a token in.
GRANT SELECT ON revocations TO orderbell_order_api, orderbell_user_api, orderbell_sse_gateway, orderbell_reader;
GRANT SELECT, INSERT, UPDATE ON revocations TO orderbell_operator;
GRANT SELECT, DELETE ON revocations TO orderbell_delivery_sweeper;
ALTER TABLE revocations ENABLE ROW LEVEL SECURITY;
ALTER TABLE revocations FORCE ROW LEVEL SECURITY;
CREATE POLICY all_tenants ON revocations TO orderbell_all, orderbell_operator USING (true);
CREATE POLICY read ON revocations FOR SELECT USING (true);

-- What was refused, for the audit trail: equal refusals of a day are one row, and a tenant has a bounded number of rows a day
-- (userstore.AddRefusals), so that requests that are refused cannot fill the table. Requests whose token is not verified belong
-- to no tenant: they are those of '-', which is the name of none. The APIs count here, and cannot read audit_records.
CREATE TABLE refusals (
    tenant_id text NOT NULL CHECK (length(tenant_id) <= 64),
    day       date NOT NULL,
    action    text NOT NULL CHECK (length(action) <= 64), -- sign_in: the token was refused; request: the user may not do that
    actor     text NOT NULL CHECK (octet_length(actor) <= 300),
    address   text NOT NULL CHECK (length(address) <= 64),
    detail    text NOT NULL CHECK (octet_length(detail) <= 400),
    times     bigint NOT NULL CHECK (times >= 1),
    last_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, day, action, actor, address, detail)
);

CREATE INDEX refusals_day_idx ON refusals (day);

GRANT SELECT, INSERT, UPDATE (times, last_at) ON refusals TO orderbell_api;
GRANT SELECT, DELETE ON refusals TO orderbell_delivery_sweeper;
ALTER TABLE refusals ENABLE ROW LEVEL SECURITY;
ALTER TABLE refusals FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON refusals TO orderbell_api USING (tenant_id = api_tenant());
CREATE POLICY all_tenants ON refusals TO orderbell_all, orderbell_operator USING (true);

-- orderbell deadletter writes who sent letters again, in a cluster as orderbell_reader.
GRANT INSERT ON audit_records TO orderbell_reader;
-- The sweeper removes records that are old.
GRANT SELECT (id, at), DELETE ON audit_records TO orderbell_delivery_sweeper;

-- A retry of a mail whose attempt was never marked keeps in mind that the attempt may have sent it.
GRANT UPDATE (ambiguous) ON email_deliveries TO orderbell_operator;
