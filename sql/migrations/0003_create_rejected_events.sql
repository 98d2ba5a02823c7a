-- What could not be taken, with the reason: nothing is dropped silently.
CREATE TABLE IF NOT EXISTS {table:rejected_events}
(
    received_at DateTime64(3, 'UTC'),
    model LowCardinality(String),
    kind LowCardinality(String) COMMENT 'prediction or outcome',
    source LowCardinality(String),
    position String COMMENT 'where it stood: an index in a body, a line of a file, topic-partition-offset',
    field String,
    reason String,
    payload String COMMENT 'the event, cut to 8 kB'
)
ENGINE = {engine:MergeTree}
PARTITION BY toYYYYMM(received_at)
ORDER BY (model, received_at)
TTL toDateTime(received_at) + toIntervalDay({retention:rejected_days})
SETTINGS {deduplication}
