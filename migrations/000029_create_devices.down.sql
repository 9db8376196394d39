ALTER TABLE tenant_limits DROP COLUMN max_devices;
DROP TABLE device_pairings;
DROP TABLE devices;
