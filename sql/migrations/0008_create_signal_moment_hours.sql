-- The same moments by the hour.
CREATE TABLE IF NOT EXISTS {table:signal_moment_hours}
(
    model LowCardinality(String),
    version LowCardinality(String),
    environment LowCardinality(String),
    segment LowCardinality(String),
    signal LowCardinality(String),
    hour DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    n SimpleAggregateFunction(sum, Int64),
    sum SimpleAggregateFunction(sum, Float64),
    sum_of_squares SimpleAggregateFunction(sum, Float64),
    least SimpleAggregateFunction(min, Float64),
    greatest SimpleAggregateFunction(max, Float64),
    written_on SimpleAggregateFunction(max, Date) DEFAULT today()
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYear(hour)
ORDER BY (model, environment, segment, signal, hour, version)
TTL written_on + toIntervalDay({retention:hours_days})
SETTINGS {deduplication}
