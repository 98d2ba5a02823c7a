-- Why incidents came about: one report each, as JSON. A later row of the same incident replaces an earlier one.
CREATE TABLE IF NOT EXISTS {table:causes}
(
    incident String,
    model LowCardinality(String),
    environment LowCardinality(String),
    computed_at DateTime64(3, 'UTC'),
    report String COMMENT 'JSON: domain::why::Why' CODEC(ZSTD(3))
)
ENGINE = {engine:ReplacingMergeTree(computed_at)}
ORDER BY incident
