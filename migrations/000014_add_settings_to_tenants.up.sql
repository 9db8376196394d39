-- What belongs to the business and not to a till or a user: its currency, its clock, its language.
ALTER TABLE tenants
    ADD COLUMN currency  text NOT NULL DEFAULT 'EUR' CHECK (currency ~ '^[A-Z]{3}$'), -- ISO 4217
    ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC' CHECK (length(time_zone) BETWEEN 1 AND 64), -- IANA
    ADD COLUMN version   bigint NOT NULL DEFAULT 1; -- the ETag of the settings

-- A business that sells already keeps the currency of its newest order, and the time zone of its first owner who chose one.
UPDATE tenants t SET
    currency = coalesce((SELECT o.currency FROM orders o WHERE o.tenant_id = t.id
        ORDER BY o.created_at DESC, o.id DESC LIMIT 1), t.currency),
    time_zone = coalesce((SELECT u.time_zone FROM users u WHERE u.tenant_id = t.id AND 'owner' = ANY (u.roles)
        AND u.time_zone <> 'UTC' ORDER BY u.id LIMIT 1), t.time_zone);

-- The id and the name stay the operator's.
GRANT UPDATE (locale, currency, time_zone, version) ON tenants TO orderbell_api;
