-- Credentials that a vendor's authorization server gave. `state`: kept, connected or reconnect (the vendor
-- took the grant back, `reason` says how). While a refresh token is being spent, `spending_version` names
-- the version it belongs to: this is committed before the call, so that no row is locked during it.
ALTER TABLE credential
    ADD COLUMN state text NOT NULL DEFAULT 'kept',
    ADD COLUMN reason text NOT NULL DEFAULT '',
    ADD COLUMN refresh_at timestamptz,
    ADD COLUMN spending_version bigint,
    ADD COLUMN spending_by text,
    ADD COLUMN spending_until timestamptz,
    ADD CONSTRAINT credential_state CHECK (state IN ('kept', 'connected', 'reconnect', 'deleted'));
UPDATE credential SET state = 'deleted' WHERE sealed IS NULL;
CREATE INDEX ON credential (refresh_at) WHERE refresh_at IS NOT NULL;

-- A user on the way to a vendor's sign-in and back. Links, states and cookies are kept as keyed hashes,
-- the PKCE verifier sealed.
CREATE TABLE sign_in (
    ticket_digest     bytea       PRIMARY KEY,
    integration_id    text        NOT NULL,
    tenant            text        NOT NULL,
    requested_version bigint      NOT NULL,
    return_to         text,
    expires_at        timestamptz NOT NULL,
    state_digest      bytea       UNIQUE,
    browser_digest    bytea,
    verifier          text,
    verifier_kid      text,
    used_at           timestamptz
);
CREATE INDEX ON sign_in (expires_at);
CREATE INDEX ON sign_in (integration_id);
