-- The HTTP APIs take the role orderbell_api for each of their transactions and name the one tenant that it is for
-- (internal/store/database's statement asTenant). Whatever a query forgets to ask, it sees and changes this tenant's rows
-- alone. Functions, relay, sweeper and operators are the tables' owner and see all, as before.

-- Roles belong to the server, so another database may have made it. NOLOGIN: nobody connects as it.
DO $$
BEGIN
    CREATE ROLE orderbell_api NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

-- Whoever migrates, as the programs do, may take the role. A superuser may without being told.
DO $$
BEGIN
    SET LOCAL ROLE orderbell_api;
    RESET ROLE;
EXCEPTION WHEN insufficient_privilege THEN
    GRANT orderbell_api TO CURRENT_USER;
END
$$;

-- What the APIs do, and no more: no DELETE anywhere, and nothing at all on the tables of the event path.
GRANT SELECT ON tenants TO orderbell_api;
GRANT SELECT, INSERT, UPDATE ON users, orders TO orderbell_api;
GRANT SELECT, INSERT ON idempotency_keys TO orderbell_api;
GRANT INSERT ON outbox TO orderbell_api;
GRANT SELECT ON notifications TO orderbell_api;
GRANT UPDATE (read_at) ON notifications TO orderbell_api;

-- The tenant of the transaction; NULL or '' where none is named, which no row has.
CREATE FUNCTION api_tenant() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN current_setting('orderbell.tenant', true);

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE notifications ENABLE ROW LEVEL SECURITY;

CREATE POLICY one_tenant ON tenants TO orderbell_api USING (id = api_tenant());
CREATE POLICY one_tenant ON users TO orderbell_api USING (tenant_id = api_tenant());
CREATE POLICY one_tenant ON orders TO orderbell_api USING (tenant_id = api_tenant());
CREATE POLICY one_tenant ON idempotency_keys TO orderbell_api USING (tenant_id = api_tenant());
CREATE POLICY one_tenant ON outbox TO orderbell_api USING (tenant_id = api_tenant());
CREATE POLICY one_tenant ON notifications TO orderbell_api USING (tenant_id = api_tenant());
