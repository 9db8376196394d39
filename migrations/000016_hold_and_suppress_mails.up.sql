-- Attempts that ended with a fault of ours or of the mail server: they do not count as the user's.
ALTER TABLE email_deliveries ADD COLUMN held integer NOT NULL DEFAULT 0;

-- Addresses that do not exist, by a mail server's word. Nothing is sent to them. The list is one for all tenants: an
-- address exists for all or for none, and mails to unknown addresses harm the sender that all tenants share.
CREATE TABLE mail_suppressions (
    address     text PRIMARY KEY CHECK (address = lower(address)),
    reason      text NOT NULL, -- the server's answer
    delivery_id uuid,          -- the mail that it answered; the row may be gone
    since       timestamptz NOT NULL DEFAULT now()
);

-- The roles that a mail's event is for: a user who has none of them any more gets no mail that is still due.
ALTER TABLE email_deliveries ADD COLUMN audience text[]; -- NULL for mails that are older than the column

-- Due mails are sent in turns, one of each tenant.
CREATE INDEX email_deliveries_turn_idx ON email_deliveries (tenant_id, next_attempt_at) WHERE status = 'due';

-- How many mails of a tenant were tried in the current hour.
CREATE TABLE mail_hours (
    tenant_id text PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    hour      timestamptz NOT NULL,
    mails     bigint NOT NULL
);
