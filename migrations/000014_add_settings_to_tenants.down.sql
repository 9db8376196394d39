REVOKE UPDATE (locale, currency, time_zone, version) ON tenants FROM orderbell_api;
ALTER TABLE tenants DROP COLUMN currency, DROP COLUMN time_zone, DROP COLUMN version;
