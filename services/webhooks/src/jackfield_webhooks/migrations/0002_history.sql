-- Past deliveries and events: what they were, what became of them, and where their record stands. The
-- record itself stays in its topic, whose retention is the archive's.
CREATE TABLE history (
    event_id       text        PRIMARY KEY,
    tenant         text        NOT NULL,
    integration_id text,
    source         text        NOT NULL,
    event_type     text,
    canonical_type text,
    delivery_id    text,
    status         text        NOT NULL,
    reason         text,
    accepted_at    timestamptz NOT NULL,
    occurrence     jsonb,
    topic          text        NOT NULL,
    partition      integer     NOT NULL,
    "offset"       bigint      NOT NULL,
    size           integer     NOT NULL
);
CREATE INDEX history_by_time ON history (tenant, accepted_at DESC, event_id DESC);
CREATE INDEX history_by_integration ON history (integration_id, accepted_at DESC);
CREATE INDEX history_by_delivery ON history (delivery_id) WHERE delivery_id IS NOT NULL;
CREATE INDEX history_by_age ON history (accepted_at);
