-- What a person or a program asked for on a page or by the API; the alerter turns it into incident events.
CREATE TABLE IF NOT EXISTS {table:actions}
(
    id String,
    incident String,
    kind LowCardinality(String) COMMENT 'acknowledge, silence, unsilence, resolve, mark_false, retrain, retraining_report, send_again',
    actor String,
    reason String,
    until Nullable(DateTime64(3, 'UTC')),
    payload String COMMENT 'JSON, where the kind needs more',
    asked_at DateTime64(3, 'UTC')
)
ENGINE = {engine:ReplacingMergeTree}
PARTITION BY toYear(asked_at)
ORDER BY (asked_at, id)
SETTINGS {deduplication}
