-- Deployments, retrainings, schema and configuration changes, to line up with what moved.
CREATE TABLE IF NOT EXISTS {table:changes}
(
    id String,
    at DateTime64(3, 'UTC'),
    model LowCardinality(String),
    environment LowCardinality(String),
    kind LowCardinality(String) COMMENT 'deployment, retraining, schema, configuration, grid, baseline, import',
    title String,
    detail String,
    actor String,
    link String
)
ENGINE = {engine:ReplacingMergeTree}
PARTITION BY toYear(at)
ORDER BY (model, at, id)
SETTINGS {deduplication}
