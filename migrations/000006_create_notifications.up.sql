-- One row per event and person: the in-app inbox.
CREATE TABLE notifications (
    id           uuid PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES tenants (id),
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    event_source text NOT NULL,
    event_id     uuid NOT NULL,
    event_type   text NOT NULL,
    order_id     uuid NOT NULL,
    data         jsonb NOT NULL, -- the event's data
    created_at   timestamptz NOT NULL DEFAULT now(),
    read_at      timestamptz,
    UNIQUE (event_source, event_id, user_id)
);

CREATE INDEX notifications_inbox_idx ON notifications (user_id, created_at DESC, id DESC);
CREATE INDEX notifications_unread_idx ON notifications (user_id) WHERE read_at IS NULL;
