CREATE TABLE person (
    user_id         text        PRIMARY KEY,
    tenant          text        NOT NULL,
    email           text        NOT NULL,
    name            text        NOT NULL,
    role            text        NOT NULL CHECK (role IN ('owner', 'administrator', 'developer', 'viewer')),
    password_digest text        NOT NULL,
    disabled_at     timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX ON person (lower(email));
COMMENT ON COLUMN person.password_digest IS 'argon2id, in PHC string format';

-- A link by which a person sets a password and becomes a user; its token is kept as a keyed hash.
CREATE TABLE invitation (
    token_digest bytea       PRIMARY KEY,
    tenant       text        NOT NULL,
    email        text,
    role         text        NOT NULL,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);

CREATE TABLE browser_session (
    session_digest bytea       PRIMARY KEY,
    user_id        text        NOT NULL REFERENCES person ON DELETE CASCADE,
    signed_in_at   timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL
);
CREATE INDEX ON browser_session (expires_at);
CREATE INDEX ON browser_session (user_id);

-- Failed sign-ins, by keyed hash of what was tried and from where: what locks out for a while.
CREATE TABLE sign_in_failure (
    subject_digest bytea       NOT NULL,
    failed_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON sign_in_failure (subject_digest, failed_at);
CREATE INDEX ON sign_in_failure (failed_at);

CREATE TABLE consent (
    user_id    text        NOT NULL REFERENCES person ON DELETE CASCADE,
    client_id  text        NOT NULL REFERENCES client ON DELETE CASCADE,
    scopes     text[]      NOT NULL,
    given_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, client_id)
);

-- What a person allowed a client once: every code, refresh token and access token hangs on one of these.
CREATE TABLE access_grant (
    grant_id   text        PRIMARY KEY,
    client_id  text        NOT NULL REFERENCES client ON DELETE CASCADE,
    user_id    text        NOT NULL REFERENCES person ON DELETE CASCADE,
    tenant     text        NOT NULL,
    scopes     text[]      NOT NULL,
    auth_time  timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    reason     text        NOT NULL DEFAULT ''
);
CREATE INDEX ON access_grant (client_id);
CREATE INDEX ON access_grant (user_id);

CREATE TABLE authorization_code (
    code_digest    bytea       PRIMARY KEY,
    grant_id       text        NOT NULL REFERENCES access_grant ON DELETE CASCADE,
    redirect_uri   text        NOT NULL,
    redirect_given boolean     NOT NULL,
    challenge      text        NOT NULL,
    nonce          text,
    expires_at     timestamptz NOT NULL,
    used_at        timestamptz
);
CREATE INDEX ON authorization_code (expires_at);

CREATE TABLE refresh_token (
    token_digest bytea       PRIMARY KEY,
    grant_id     text        NOT NULL REFERENCES access_grant ON DELETE CASCADE,
    issued_at    timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);
CREATE INDEX ON refresh_token (grant_id);
CREATE INDEX ON refresh_token (expires_at);

-- Access tokens that hang on a grant, so that they end with it.
CREATE TABLE granted_token (
    jti        text        PRIMARY KEY,
    grant_id   text        NOT NULL REFERENCES access_grant ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX ON granted_token (grant_id);
CREATE INDEX ON granted_token (expires_at);
