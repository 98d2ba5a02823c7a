-- An event as it came: one row a prediction. Kept for drill-down, exact answers and recounts.
-- The id is not a part of the order: no question is answered by it, and it made a third of an insert's work (decision 12).
CREATE TABLE IF NOT EXISTS {table:predictions}
(
    id String CODEC(ZSTD(1)),
    model LowCardinality(String),
    version LowCardinality(String),
    environment LowCardinality(String),
    timestamp DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    received_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1)),
    numbers Map(LowCardinality(String), Float64),
    categories Map(LowCardinality(String), LowCardinality(String)),
    vectors Map(LowCardinality(String), Array(Float32)),
    lists Map(LowCardinality(String), Array(String)),
    tags Map(LowCardinality(String), String),
    error String,
    trace_id String,
    source LowCardinality(String)
)
ENGINE = {engine:MergeTree}
PARTITION BY toYYYYMM(timestamp)
ORDER BY (model, environment, timestamp)
TTL toDateTime(received_at) + toIntervalDay({retention:events_days})
SETTINGS {deduplication}
