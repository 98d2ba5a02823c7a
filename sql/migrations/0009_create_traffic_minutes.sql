-- How many events came for each minute of event time, how many carried an error, and how late they were.
CREATE TABLE IF NOT EXISTS {table:traffic_minutes}
(
    model LowCardinality(String),
    version LowCardinality(String),
    environment LowCardinality(String),
    segment LowCardinality(String),
    minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    events SimpleAggregateFunction(sum, Int64),
    errors SimpleAggregateFunction(sum, Int64),
    first_event SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_event SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    largest_lag_ms SimpleAggregateFunction(max, Int64),
    last_received_at SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(minute)
ORDER BY (model, environment, segment, minute, version)
TTL toDateTime(last_received_at) + toIntervalDay({retention:minutes_days})
SETTINGS {deduplication}
