-- The moments of each numeric signal of a baseline.
CREATE TABLE IF NOT EXISTS {table:baseline_moments}
(
    model LowCardinality(String),
    environment LowCardinality(String),
    name String,
    created_at DateTime64(3, 'UTC'),
    segment LowCardinality(String),
    signal LowCardinality(String),
    n UInt64,
    sum Float64,
    sum_of_squares Float64,
    least Float64,
    greatest Float64
)
ENGINE = {engine:ReplacingMergeTree}
ORDER BY (model, environment, name, created_at, segment, signal)
