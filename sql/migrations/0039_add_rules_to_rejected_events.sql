-- Of an event that a contract keeps out, or that came before: where it belongs and which rules it broke.
ALTER TABLE {table:rejected_events}
    ADD COLUMN IF NOT EXISTS version LowCardinality(String),
    ADD COLUMN IF NOT EXISTS environment LowCardinality(String),
    ADD COLUMN IF NOT EXISTS happened_at DateTime64(3, 'UTC'),
    ADD COLUMN IF NOT EXISTS rules Array(String)
