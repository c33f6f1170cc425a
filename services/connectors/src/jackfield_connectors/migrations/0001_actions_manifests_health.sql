-- What was asked of vendors and what came of it. `intent`: a call that must not be repeated is under way;
-- found again after a crash, its outcome is unknown. `open`: an attempt failed and is known to have done
-- nothing. `done`: `result` is the ActionCompleted that was published, `error` its kind. `replayed_by` is
-- the command by which its owner had it run again, empty for the first run.
CREATE TABLE action (
    action_id      text        PRIMARY KEY,
    integration_id text        NOT NULL,
    state          text        NOT NULL CHECK (state IN ('intent', 'open', 'done')),
    replayed_by    text        NOT NULL DEFAULT '',
    error          text,
    result         bytea,
    changed_at     timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'done') = (result IS NOT NULL))
);
CREATE INDEX action_by_age ON action (changed_at);

-- The manifests on the bus: a new version where the content changed.
CREATE TABLE manifest (
    slug    text   PRIMARY KEY,
    version bigint NOT NULL,
    digest  text
);
COMMENT ON COLUMN manifest.digest IS 'SHA-256 of the published manifest; null when it was withdrawn';

CREATE TABLE health (
    integration_id            text        PRIMARY KEY,
    tenant                    text        NOT NULL,
    version                   bigint      NOT NULL,
    status                    text        NOT NULL,
    authentication_status     text        NOT NULL,
    response_time_ms          float8,
    last_check                timestamptz,
    last_successful_operation timestamptz,
    error                     text,
    message                   text        NOT NULL
);
