DROP POLICY one_tenant ON notifications;
DROP POLICY one_tenant ON outbox;
DROP POLICY one_tenant ON idempotency_keys;
DROP POLICY one_tenant ON orders;
DROP POLICY one_tenant ON users;
DROP POLICY one_tenant ON tenants;

ALTER TABLE notifications DISABLE ROW LEVEL SECURITY;
ALTER TABLE outbox DISABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys DISABLE ROW LEVEL SECURITY;
ALTER TABLE orders DISABLE ROW LEVEL SECURITY;
ALTER TABLE users DISABLE ROW LEVEL SECURITY;
ALTER TABLE tenants DISABLE ROW LEVEL SECURITY;

DROP FUNCTION api_tenant();

REVOKE ALL ON tenants, users, orders, idempotency_keys, outbox FROM orderbell_api;
REVOKE ALL ON notifications FROM orderbell_api;
REVOKE ALL (read_at) ON notifications FROM orderbell_api;
-- The role stays: it belongs to the server, and other databases may use it.
