-- Runs, what their checks found, the levels that rest on them, and the twins that are installed for them.

CREATE TABLE run (
    run_id         text        PRIMARY KEY,
    tenant         text        NOT NULL,
    integration_id text        NOT NULL,
    connector      text        NOT NULL,
    suites         text[]      NOT NULL,
    state          text        NOT NULL CHECK (state IN ('queued', 'running', 'finished')),
    attempt        integer     NOT NULL DEFAULT 0,
    holder         text,
    lease_until    timestamptz,
    manifest       text        NOT NULL DEFAULT '',
    requested_at   timestamptz NOT NULL,
    started_at     timestamptz,
    finished_at    timestamptz,
    report         json
);
-- One run of an integration at a time.
CREATE UNIQUE INDEX run_under_way ON run (integration_id) WHERE state <> 'finished';
CREATE INDEX run_waiting ON run (requested_at) WHERE state <> 'finished';
CREATE INDEX run_by_age ON run (finished_at) WHERE state = 'finished';

-- A check that is here is not run again when its run is resumed.
CREATE TABLE finding (
    run_id   text    NOT NULL REFERENCES run ON DELETE CASCADE,
    position integer NOT NULL,
    suite    text    NOT NULL,
    name     text    NOT NULL,
    found    json    NOT NULL,
    PRIMARY KEY (run_id, suite, name)
);

-- Written before a twin is installed: its name is how it is found again after a crash.
CREATE TABLE twin (
    name         text        PRIMARY KEY,
    run_id       text        NOT NULL,
    announced_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE level (
    connector text             PRIMARY KEY,
    tenant    text             NOT NULL,
    level     text             NOT NULL,
    score     double precision NOT NULL,
    run_id    text             NOT NULL,
    reason    text             NOT NULL,
    version   bigint           NOT NULL,
    since     timestamptz      NOT NULL
);
