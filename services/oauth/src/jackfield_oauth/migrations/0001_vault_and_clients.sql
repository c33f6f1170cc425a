-- The vault. `sealed` is a compact JWE to the vault's own key; no column holds a credential in the clear.
-- `requested_version` is the highest version that the gateway asked for: a redelivered request is known by
-- it. `version` is what was published; it runs ahead where the vault itself renewed the credential.
CREATE TABLE credential (
    integration_id    text        PRIMARY KEY,
    tenant            text        NOT NULL,
    connector         text        NOT NULL,
    auth              text        NOT NULL,
    version           bigint      NOT NULL,
    requested_version bigint      NOT NULL,
    sealed            text,
    kid               text,
    updated_at        timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN credential.sealed IS 'null once deleted: the row stays, so that no version comes back';

-- Keys made at first start, sealed to the vault's own key: what secrets are hashed with.
CREATE TABLE hash_key (
    name       text        PRIMARY KEY,
    sealed     text        NOT NULL,
    kid        text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE client (
    client_id     text        PRIMARY KEY,
    tenant        text        NOT NULL,
    name          text        NOT NULL,
    auth_method   text        NOT NULL,
    secret_digest bytea,
    grant_types   text[]      NOT NULL,
    redirect_uris text[]      NOT NULL DEFAULT '{}',
    scopes        text[]      NOT NULL,
    introspects   boolean     NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CHECK ((auth_method IN ('client_secret_basic', 'client_secret_post')) = (secret_digest IS NOT NULL))
);
COMMENT ON COLUMN client.secret_digest IS
    'HMAC-SHA256 under hash_key: generated secrets have 256 bits, so nothing slower is needed';
COMMENT ON COLUMN client.introspects IS 'may ask about tokens of its tenant that other clients hold';

-- Keys that sign access tokens. `private` is a JWK sealed to the vault's own key.
CREATE TABLE signing_key (
    kid        text        PRIMARY KEY,
    algorithm  text        NOT NULL,
    public     text        NOT NULL,
    private    text        NOT NULL,
    private_kid text       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    signs_from timestamptz NOT NULL,
    published_until timestamptz
);

-- Revoked before they expired; a row goes, with a tombstone, when the token would have expired.
CREATE TABLE revoked_token (
    jti        text        PRIMARY KEY,
    tenant     text        NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON revoked_token (expires_at);

-- Versions of states that have no row of their own.
CREATE TABLE published_version (
    name       text        PRIMARY KEY,
    version    bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
