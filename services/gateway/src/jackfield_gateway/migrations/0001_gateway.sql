-- What the gateway owns: integrations, routes, API keys; and what it remembers for its API.
-- JSON that users give is kept as `json`, not `jsonb`: jsonb refuses the escape \u0000 that JSON allows.

CREATE TABLE integration (
    integration_id     text        PRIMARY KEY,
    tenant             text        NOT NULL,
    template           text        NOT NULL,
    connector          text        NOT NULL,
    name               text        NOT NULL,
    config             json        NOT NULL,
    auth               text,
    enabled            boolean     NOT NULL,
    webhook_secrets    json        NOT NULL,
    webhook_path       text        UNIQUE,
    credential_version integer     NOT NULL,
    credential_status  text        NOT NULL,
    credential_message text        NOT NULL,
    version            bigint      NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL
);
CREATE INDEX integration_by_tenant ON integration (tenant, created_at, integration_id);

CREATE TABLE subscription (
    subscription_id text        PRIMARY KEY,
    tenant          text        NOT NULL,
    name            text        NOT NULL,
    source          text,
    events          text[]      NOT NULL,
    condition       text,
    target          json        NOT NULL,
    target_id       text        NOT NULL,
    enabled         boolean     NOT NULL,
    version         bigint      NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
);
CREATE INDEX subscription_by_tenant ON subscription (tenant, created_at, subscription_id);
CREATE INDEX subscription_by_source ON subscription (source) WHERE source IS NOT NULL;
CREATE INDEX subscription_by_target ON subscription (target_id);

-- Actions asked for through the API, and the results of all; dropped by age.
CREATE TABLE action (
    action_id       text        PRIMARY KEY,
    tenant          text        NOT NULL,
    integration_id  text        NOT NULL,
    connector       text        NOT NULL,
    action          text        NOT NULL,
    status          text        NOT NULL CHECK (status IN ('pending', 'completed')),
    success         boolean,
    message         text        NOT NULL DEFAULT '',
    data            json,
    error           text,
    field           text,
    attempts        integer,
    duration_ms     double precision,
    subscription_id text,
    cause           text,
    requested_at    timestamptz NOT NULL,
    completed_at    timestamptz,
    recorded_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX action_by_age ON action (recorded_at);

-- Idempotency-Key: what was asked under a key, by whom, and the action it became.
CREATE TABLE idempotency (
    tenant      text        NOT NULL,
    actor       text        NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    action_id   text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, actor, key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- The final state of each delivery and of each event sent in; dropped by age.
CREATE TABLE processed (
    event_id       text        PRIMARY KEY,
    tenant         text        NOT NULL,
    integration_id text        NOT NULL,
    status         text        NOT NULL,
    event_type     text,
    actions        text[]      NOT NULL,
    matched        text[]      NOT NULL,
    reason         text,
    at             timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX processed_by_age ON processed (recorded_at);

CREATE TABLE processed_count (
    tenant text   NOT NULL,
    status text   NOT NULL,
    count  bigint NOT NULL,
    PRIMARY KEY (tenant, status)
);

CREATE TABLE api_key (
    key_id     text        PRIMARY KEY,
    tenant     text        NOT NULL,
    name       text        NOT NULL,
    digest     bytea       NOT NULL UNIQUE,
    scopes     text[]      NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text        NOT NULL,
    expires_at timestamptz
);
CREATE INDEX api_key_by_tenant ON api_key (tenant, created_at, key_id);

CREATE TABLE certification_run (
    run_id         text        PRIMARY KEY,
    tenant         text        NOT NULL,
    integration_id text        NOT NULL,
    connector      text        NOT NULL,
    suites         text[]      NOT NULL,
    status         text        NOT NULL CHECK (status IN ('requested', 'completed')),
    report         json,
    requested_at   timestamptz NOT NULL,
    finished_at    timestamptz
);
CREATE INDEX certification_run_by_tenant ON certification_run (tenant, requested_at, run_id);

-- What the gateway needs to keep secret itself, sealed to its own key.
CREATE TABLE sealed_value (
    name   text PRIMARY KEY,
    sealed json NOT NULL
);
