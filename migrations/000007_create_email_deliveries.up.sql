-- One row per event and person who takes e-mail. A sender claims it with a lease; attempt is the fencing token: a mark
-- with an older attempt changes nothing.
CREATE TABLE email_deliveries (
    id              uuid PRIMARY KEY,
    tenant_id       text NOT NULL REFERENCES tenants (id),
    user_id         uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    event_source    text NOT NULL,
    event_id        uuid NOT NULL,
    event_type      text NOT NULL,
    order_id        uuid NOT NULL,
    data            jsonb NOT NULL, -- the event's data, for rendering
    message_id      text NOT NULL UNIQUE, -- RFC 5322 Message-ID without brackets, the same at every attempt
    status          text NOT NULL DEFAULT 'due' CHECK (status IN ('due', 'sent', 'failed', 'suppressed')),
    reason          text NOT NULL DEFAULT '', -- why failed or suppressed, or the last temporary error
    attempt         integer NOT NULL DEFAULT 0,
    ambiguous       integer NOT NULL DEFAULT 0, -- attempts whose outcome is unknown: the line dropped after DATA
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    lease_until     timestamptz,
    sent_at         timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (event_source, event_id, user_id)
);

CREATE INDEX email_deliveries_due_idx ON email_deliveries (next_attempt_at) WHERE status = 'due';
