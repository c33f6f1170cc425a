-- Authorization requests that a client sent ahead (RFC 9126); the reference is kept as a keyed hash. They
-- hold no secret: a PKCE challenge is not its verifier.
CREATE TABLE pushed_request (
    request_digest bytea       PRIMARY KEY,
    client_id      text        NOT NULL REFERENCES client ON DELETE CASCADE,
    parameters     jsonb       NOT NULL,
    pushed_at      timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,
    used_at        timestamptz
);
CREATE INDEX ON pushed_request (expires_at);
