-- When a level is to be earned again, and by which integration.
ALTER TABLE level ADD COLUMN integration_id text;
ALTER TABLE level ADD COLUMN due_at timestamptz;
CREATE INDEX level_due ON level (due_at) WHERE due_at IS NOT NULL;
