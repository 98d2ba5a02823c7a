-- The hours in which events of a model were received whose values were counted and not kept (`privacy.counts_only`): what was
-- counted of them cannot be held against the raw events, whatever the contract says by then.
CREATE TABLE IF NOT EXISTS {table:counts_only_hours}
(
    model LowCardinality(String),
    hour DateTime('UTC') COMMENT 'of receipt'
)
ENGINE = {engine:ReplacingMergeTree}
ORDER BY (model, hour)
TTL hour + toIntervalDay({retention:events_days})
