CREATE TABLE tenants (
    id         text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    locale     text NOT NULL DEFAULT 'en', -- BCP 47: the language of the tenant's e-mails
    created_at timestamptz NOT NULL DEFAULT now()
);
