-- The same traffic by the hour.
CREATE TABLE IF NOT EXISTS {table:traffic_hours}
(
    model LowCardinality(String),
    version LowCardinality(String),
    environment LowCardinality(String),
    segment LowCardinality(String),
    hour DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    events SimpleAggregateFunction(sum, Int64),
    errors SimpleAggregateFunction(sum, Int64),
    first_event SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_event SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    largest_lag_ms SimpleAggregateFunction(max, Int64),
    last_received_at SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYear(hour)
ORDER BY (model, environment, segment, hour, version)
TTL toDateTime(last_received_at) + toIntervalDay({retention:hours_days})
SETTINGS {deduplication}
