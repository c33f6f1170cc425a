-- Who owns a partition: each assignment takes the next epoch, and what an older one writes is refused.
CREATE TABLE lane_epoch (
    consumer  text        NOT NULL,
    topic     text        NOT NULL,
    partition int         NOT NULL,
    epoch     bigint      NOT NULL,
    owner     text        NOT NULL,
    taken_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, topic, partition)
);

-- The order of rows within a lane; a replayed row takes a new place at the end.
CREATE SEQUENCE lane_place;

-- Work that left the log's order: parked (waits, with everything behind it in its lane), dead (given up)
-- or cancelled (given up by its owner; kept so that reading the record again does not run it).
CREATE TABLE lane_work (
    id               text        PRIMARY KEY,
    consumer         text        NOT NULL,
    topic            text        NOT NULL,
    partition        int         NOT NULL,
    "offset"         bigint      NOT NULL,
    place            bigint      NOT NULL DEFAULT nextval('lane_place'),
    tenant           text        NOT NULL DEFAULT '',
    key              text        NOT NULL,
    lane             text        NOT NULL,
    state            text        NOT NULL CHECK (state IN ('parked', 'dead', 'cancelled')),
    blocking         boolean     NOT NULL DEFAULT false,
    attempts         int         NOT NULL DEFAULT 0,
    first_attempt_at timestamptz,
    due_at           timestamptz,
    kind             text,
    message          text,
    tried            jsonb       NOT NULL DEFAULT '[]',
    record_key       bytea,
    headers          bytea       NOT NULL,  -- JSON pairs of name and base64; jsonb would refuse NUL
    value            bytea,
    recorded_at      timestamptz NOT NULL,
    size             bigint      NOT NULL,
    entered_at       timestamptz NOT NULL DEFAULT now(),
    changed_at       timestamptz NOT NULL DEFAULT now(),
    fed              boolean     NOT NULL DEFAULT false,
    replayed_by      text,
    cause            text        NOT NULL DEFAULT ''
);

-- Payloads are compressed JSON or not text at all; they are read whole or not at all.
ALTER TABLE lane_work ALTER COLUMN value SET STORAGE EXTERNAL;

CREATE INDEX lane_work_lane ON lane_work (consumer, topic, partition, key, lane, place)
    WHERE state = 'parked' OR blocking;
CREATE INDEX lane_work_offset ON lane_work (consumer, topic, partition, "offset");
CREATE INDEX lane_work_unfed ON lane_work (consumer, topic, partition) WHERE state = 'dead' AND NOT fed;
CREATE INDEX lane_work_listed ON lane_work (tenant, state, place);

-- Keys (integrations) whose work waits until someone says otherwise.
CREATE TABLE lane_pause (
    tenant    text        NOT NULL,
    key       text        NOT NULL,
    paused_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, key)
);

-- Grows with every change from outside the owner; owners watch it.
CREATE SEQUENCE lane_change;
