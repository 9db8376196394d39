-- Tills and screens that a manager has paired: each has a credential of its own, of which only the hash is here. A revoked
-- one stays for the names in the history of orders; its name is free again.
CREATE TABLE IF NOT EXISTS devices (
    id              uuid PRIMARY KEY,
    tenant_id       text NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    role            text NOT NULL CHECK (role IN ('cashier', 'kitchen', 'viewer')), -- no device leads a business
    secret_hash     bytea NOT NULL UNIQUE CHECK (length(secret_hash) = 32), -- SHA-256 of 256 random bits
    paired_at       timestamptz NOT NULL DEFAULT now(),
    paired_by       uuid, -- a user
    connected_since timestamptz, -- the page has been open since then, as of last_seen_at
    last_seen_at    timestamptz,
    revoked_at      timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS devices_name_idx ON devices (tenant_id, lower(name)) WHERE revoked_at IS NULL;

GRANT SELECT, INSERT, UPDATE (connected_since, last_seen_at, revoked_at) ON devices TO orderbell_api;
ALTER TABLE devices ENABLE ROW LEVEL SECURITY;
ALTER TABLE devices FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS one_tenant ON devices;
CREATE POLICY one_tenant ON devices TO orderbell_api USING (tenant_id = api_tenant());
DROP POLICY IF EXISTS all_tenants ON devices;
CREATE POLICY all_tenants ON devices TO orderbell_all, orderbell_operator USING (true);
GRANT UPDATE (revoked_at) ON devices TO orderbell_operator;

-- Codes that tills show while they wait for a manager. They belong to no tenant before that, so they are user-api's alone.
CREATE TABLE IF NOT EXISTS device_pairings (
    user_code   text PRIMARY KEY,
    secret_hash bytea NOT NULL UNIQUE,
    expires_at  timestamptz NOT NULL,
    tenant_id   text, -- with the device, once it is approved
    device_id   uuid
);
CREATE INDEX IF NOT EXISTS device_pairings_expires_idx ON device_pairings (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON device_pairings TO orderbell_user_api;

ALTER TABLE tenant_limits ADD COLUMN IF NOT EXISTS max_devices bigint CHECK (max_devices >= 0);
