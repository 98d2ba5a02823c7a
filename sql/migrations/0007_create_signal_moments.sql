-- Count, sum, sum of squares and extremes of the finite values of each numeric signal, by minute.
CREATE TABLE IF NOT EXISTS {table:signal_moments}
(
    model LowCardinality(String),
    version LowCardinality(String),
    environment LowCardinality(String),
    segment LowCardinality(String),
    signal LowCardinality(String),
    minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    n SimpleAggregateFunction(sum, Int64),
    sum SimpleAggregateFunction(sum, Float64),
    sum_of_squares SimpleAggregateFunction(sum, Float64),
    least SimpleAggregateFunction(min, Float64),
    greatest SimpleAggregateFunction(max, Float64),
    written_on SimpleAggregateFunction(max, Date) DEFAULT today()
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(minute)
ORDER BY (model, environment, segment, signal, minute, version)
TTL written_on + toIntervalDay({retention:minutes_days})
SETTINGS {deduplication}
