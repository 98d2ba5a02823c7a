-- How many values fell into each bin, by minute. Signed, so that a recount can correct.
CREATE TABLE IF NOT EXISTS {table:signal_minutes}
(
    model LowCardinality(String),
    version LowCardinality(String),
    environment LowCardinality(String),
    grid UInt32,
    segment LowCardinality(String),
    signal LowCardinality(String),
    minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    bin UInt16 CODEC(Delta, ZSTD(1)),
    n Int64 CODEC(T64, ZSTD(1)),
    written_on Date DEFAULT today()
)
ENGINE = {engine:SummingMergeTree(n)}
PARTITION BY toYYYYMM(minute)
ORDER BY (model, environment, segment, signal, grid, minute, version, bin)
TTL written_on + toIntervalDay({retention:minutes_days})
SETTINGS {deduplication}
