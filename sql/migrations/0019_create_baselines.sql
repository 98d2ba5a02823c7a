-- Named counts that later windows are compared with. A later row of the same name replaces an earlier one.
CREATE TABLE IF NOT EXISTS {table:baselines}
(
    model LowCardinality(String),
    environment LowCardinality(String),
    name String,
    window_start DateTime64(3, 'UTC'),
    window_end DateTime64(3, 'UTC'),
    source String,
    events UInt64,
    created_at DateTime64(3, 'UTC')
)
ENGINE = {engine:ReplacingMergeTree(created_at)}
ORDER BY (model, environment, name)
