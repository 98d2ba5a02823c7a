-- The same counts by the hour, for the long view.
CREATE TABLE IF NOT EXISTS {table:signal_hours}
(
    model LowCardinality(String),
    version LowCardinality(String),
    environment LowCardinality(String),
    grid UInt32,
    segment LowCardinality(String),
    signal LowCardinality(String),
    hour DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    bin UInt16 CODEC(Delta, ZSTD(1)),
    n Int64 CODEC(T64, ZSTD(1)),
    written_on Date DEFAULT today()
)
ENGINE = {engine:SummingMergeTree(n)}
PARTITION BY toYear(hour)
ORDER BY (model, environment, segment, signal, grid, hour, version, bin)
TTL written_on + toIntervalDay({retention:hours_days})
SETTINGS {deduplication}
