-- Devices that ask a person at another screen (RFC 8628). Both codes are kept as keyed hashes; `grant_id`
-- is what the person allowed, `denied_at` that they refused.
CREATE TABLE device_authorization (
    device_digest bytea       PRIMARY KEY,
    user_digest   bytea       NOT NULL UNIQUE,
    client_id     text        NOT NULL REFERENCES client ON DELETE CASCADE,
    scopes        text[]      NOT NULL,
    expires_at    timestamptz NOT NULL,
    interval_s    integer     NOT NULL,
    polled_at     timestamptz,
    denied_at     timestamptz,
    grant_id      text        REFERENCES access_grant ON DELETE CASCADE,
    used_at       timestamptz
);
CREATE INDEX ON device_authorization (expires_at);
