-- How many events broke each rule of their model's contract, by minute of event time; `duplicate` is a rule of every model.
CREATE TABLE IF NOT EXISTS {table:breach_minutes}
(
    model LowCardinality(String),
    version LowCardinality(String),
    environment LowCardinality(String),
    rule LowCardinality(String) COMMENT 'amount.range, country.allowed, unknown_signal, environment, duplicate',
    minute DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    n Int64 COMMENT 'events that broke the rule' CODEC(T64, ZSTD(1)),
    refused Int64 COMMENT 'those of them that were not stored' CODEC(T64, ZSTD(1)),
    written_on Date DEFAULT today()
)
ENGINE = {engine:SummingMergeTree((n, refused))}
PARTITION BY toYYYYMM(minute)
ORDER BY (model, environment, rule, minute, version)
TTL written_on + toIntervalDay({retention:minutes_days})
SETTINGS {deduplication}
