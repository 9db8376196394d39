-- What each `orderbell verify` over all tenants found: for `orderbell status` and for the metrics of outbox-relay.
CREATE TABLE verdicts (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    began_at  timestamptz NOT NULL,
    ended_at  timestamptz NOT NULL,
    since     timestamptz NOT NULL,
    until     timestamptz NOT NULL,
    offenders bigint NOT NULL CHECK (offenders >= 0),
    skipped   text[] NOT NULL DEFAULT '{}' -- the checks that could not run
);
