-- The truth about a prediction, when it comes; joined to it by model and id.
CREATE TABLE IF NOT EXISTS {table:outcomes}
(
    id String CODEC(ZSTD(1)),
    model LowCardinality(String),
    timestamp DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    received_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1)),
    numbers Map(LowCardinality(String), Float64),
    categories Map(LowCardinality(String), LowCardinality(String)),
    source LowCardinality(String)
)
ENGINE = {engine:ReplacingMergeTree(received_at)}
PARTITION BY toYYYYMM(timestamp)
ORDER BY (model, id)
TTL toDateTime(received_at) + toIntervalDay({retention:events_days})
SETTINGS {deduplication}
