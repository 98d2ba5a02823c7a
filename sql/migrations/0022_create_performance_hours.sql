-- Realised performance by the hour of the prediction, written again as outcomes arrive.
CREATE TABLE IF NOT EXISTS {table:performance_hours}
(
    model LowCardinality(String),
    environment LowCardinality(String),
    version LowCardinality(String),
    segment LowCardinality(String),
    hour DateTime('UTC'),
    metric LowCardinality(String) COMMENT 'auc, brier, accuracy, mae, rmse …',
    value Float64,
    standard_error Float64,
    predictions UInt64 COMMENT 'all predictions of the hour',
    labelled UInt64 COMMENT 'those whose outcome has come',
    computed_at DateTime64(3, 'UTC')
)
ENGINE = {engine:ReplacingMergeTree(computed_at)}
PARTITION BY toYear(hour)
ORDER BY (model, environment, segment, metric, hour, version)
TTL toDateTime(computed_at) + toIntervalDay({retention:hours_days})
