-- Deliveries that have been routed to the end. `mark` derives from tenant, integration and delivery id;
-- `event_id` is the id under which the delivery that set it was accepted, `place` its record's topic,
-- partition and offset.
CREATE TABLE done (
    mark     uuid        PRIMARY KEY,
    event_id text        NOT NULL,
    place    text        NOT NULL,
    done_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX done_by_age ON done (done_at);
