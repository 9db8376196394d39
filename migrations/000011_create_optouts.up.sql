-- The unsubscribe links that were used: each works once. A row may go when its link has expired.
CREATE TABLE optouts (
    id         uuid PRIMARY KEY, -- the letter that the link was in
    tenant_id  text NOT NULL REFERENCES tenants (id),
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    used_at    timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

CREATE INDEX optouts_expires_idx ON optouts (expires_at);
CREATE INDEX optouts_user_idx ON optouts (user_id);

GRANT SELECT, INSERT ON optouts TO orderbell_api;
ALTER TABLE optouts ENABLE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON optouts TO orderbell_api USING (tenant_id = api_tenant());
