-- What the analyzer found. A later evaluation of the same subject and window replaces an earlier one.
CREATE TABLE IF NOT EXISTS {table:evaluations}
(
    model LowCardinality(String),
    environment LowCardinality(String),
    watch LowCardinality(String),
    monitor LowCardinality(String),
    signal LowCardinality(String),
    segment LowCardinality(String),
    window_start DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    window_end DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    baseline LowCardinality(String),
    statistic LowCardinality(String),
    value Float64,
    threshold Float64,
    recovery Float64,
    noise Float64,
    n_baseline UInt64,
    n_current UInt64,
    verdict LowCardinality(String),
    severity LowCardinality(String),
    since DateTime64(3, 'UTC'),
    streak UInt32,
    numbers Map(LowCardinality(String), Float64),
    sentence String CODEC(ZSTD(3)),
    evaluated_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    INDEX by_evaluated_at evaluated_at TYPE minmax GRANULARITY 1
)
ENGINE = {engine:ReplacingMergeTree(evaluated_at)}
PARTITION BY toYear(window_end)
ORDER BY (model, environment, watch, window_end, monitor, signal, segment)
TTL toDateTime(evaluated_at) + toIntervalDay({retention:hours_days})
SETTINGS {deduplication}
