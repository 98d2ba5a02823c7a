-- Every attempt at a notification.
CREATE TABLE IF NOT EXISTS {table:deliveries}
(
    delivery String COMMENT 'constant over the attempts: the webhook-id',
    attempt UInt32,
    incident String,
    sequence UInt32 COMMENT 'of the incident event that it tells of',
    model LowCardinality(String),
    channel LowCardinality(String),
    kind LowCardinality(String) COMMENT 'webhook, email, pagerduty, retraining',
    event LowCardinality(String) COMMENT 'opened, escalated, resolved …',
    state LowCardinality(String) COMMENT 'delivered, retrying, failed, held_back',
    target String COMMENT 'where to, without secrets or addresses',
    answer_code UInt16,
    answer String COMMENT 'what the other side said, cut',
    error String,
    next_attempt_at Nullable(DateTime64(3, 'UTC')),
    took_ms UInt32,
    at DateTime64(3, 'UTC')
)
ENGINE = {engine:ReplacingMergeTree}
PARTITION BY toYYYYMM(at)
ORDER BY (delivery, attempt)
TTL toDateTime(at) + toIntervalDay({retention:hours_days})
