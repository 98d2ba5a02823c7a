-- The worst that was found of each signal by the hour in which windows ended: the long view that pages colour. A window
-- that was judged again and better keeps its hour's worst.
CREATE TABLE IF NOT EXISTS {table:verdict_hours}
(
    model LowCardinality(String),
    environment LowCardinality(String),
    watch LowCardinality(String),
    name LowCardinality(String) COMMENT 'the signal, or the monitor for what is about the whole model',
    is_monitor UInt8,
    hour DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    worst SimpleAggregateFunction(max, UInt8) COMMENT '0 too little data, 1 on course, 2 suspect, 3 recovering, 4 ticket, 5 page',
    peak SimpleAggregateFunction(max, Float64) COMMENT 'the greatest value as a part of its limit',
    judged_at SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYear(hour)
ORDER BY (model, environment, watch, hour, name, is_monitor)
TTL toDateTime(judged_at) + toIntervalDay({retention:hours_days})
SETTINGS {deduplication}
