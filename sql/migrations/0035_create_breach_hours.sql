-- The same breaches by the hour, for the long view.
CREATE TABLE IF NOT EXISTS {table:breach_hours}
(
    model LowCardinality(String),
    version LowCardinality(String),
    environment LowCardinality(String),
    rule LowCardinality(String),
    hour DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    n Int64 CODEC(T64, ZSTD(1)),
    refused Int64 CODEC(T64, ZSTD(1)),
    written_on Date DEFAULT today()
)
ENGINE = {engine:SummingMergeTree((n, refused))}
PARTITION BY toYear(hour)
ORDER BY (model, environment, rule, hour, version)
TTL written_on + toIntervalDay({retention:hours_days})
SETTINGS {deduplication}
