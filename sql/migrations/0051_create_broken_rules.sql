-- Which rules an event broke: one row an event that broke any. What broke none has no row.
-- A table of its own, because no view may be altered (decision 2); in parts and in order, and kept for as long, as events are.
CREATE TABLE IF NOT EXISTS {table:broken_rules}
(
    id String CODEC(ZSTD(1)),
    model LowCardinality(String),
    version LowCardinality(String),
    environment LowCardinality(String),
    timestamp DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    rules Array(LowCardinality(String)) DEFAULT ['?']
        COMMENT 'amount.range, country.allowed, unknown_signal, or ? where nobody knows',
    batch UInt64 DEFAULT sipHash64(getSetting('insert_deduplication_token'))
        COMMENT 'of the token of the insert' CODEC(ZSTD(1))
)
ENGINE = {engine:MergeTree}
PARTITION BY toYYYYMM(timestamp)
ORDER BY (model, environment, timestamp)
TTL toDateTime(received_at) + toIntervalDay({retention:events_days})
SETTINGS {deduplication}
