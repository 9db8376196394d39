CREATE TABLE orders (
    id           uuid PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES tenants (id),
    reference    text NOT NULL DEFAULT '' CHECK (length(reference) <= 64),
    status       text NOT NULL
        CHECK (status IN ('submitted', 'paid', 'preparing', 'ready', 'completed', 'cancelled', 'refunded')),
    total_amount bigint NOT NULL CHECK (total_amount BETWEEN 0 AND 1000000000000), -- the currency's minor unit
    currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    version      bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);

-- The snapshot pages from the newest order to the oldest.
CREATE INDEX orders_tenant_created_idx ON orders (tenant_id, created_at DESC, id DESC);

-- The first answer to a POST, kept so that a retry with the same Idempotency-Key gets it again.
CREATE TABLE idempotency_keys (
    tenant_id    text NOT NULL REFERENCES tenants (id),
    key          text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    request_hash bytea NOT NULL, -- SHA-256 of method, path and body
    status       integer NOT NULL,
    body         bytea NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key)
);

CREATE INDEX idempotency_keys_created_idx ON idempotency_keys (created_at);
