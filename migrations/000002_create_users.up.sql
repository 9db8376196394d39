CREATE TABLE users (
    id         uuid PRIMARY KEY,
    tenant_id  text NOT NULL REFERENCES tenants (id),
    email      text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    name       text NOT NULL DEFAULT '' CHECK (length(name) <= 200),
    roles      text[] NOT NULL
        CHECK (cardinality(roles) >= 1 AND roles <@ ARRAY['owner', 'manager', 'cashier', 'kitchen', 'viewer']),
    version    bigint NOT NULL DEFAULT 1, -- the ETag of optimistic concurrency
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- One address is one person of a tenant, however it is typed.
CREATE UNIQUE INDEX users_tenant_email_key ON users (tenant_id, lower(email));
