-- What is to be published, in the order of ids; see outbox.py for why rows wait for pg_snapshot_xmin.
CREATE TABLE outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction xid8        NOT NULL DEFAULT pg_current_xact_id(),
    topic       text        NOT NULL,
    key         bytea       NOT NULL,
    value       bytea,
    headers     jsonb       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- One relay a schema: whoever holds the lease.
CREATE TABLE outbox_lease (
    singleton boolean   PRIMARY KEY DEFAULT true CHECK (singleton),
    holder  text        NOT NULL,
    expires timestamptz NOT NULL
);
