-- What owners of models stated by the API, every version of it; the configuration's word wins over it.
CREATE TABLE IF NOT EXISTS {table:contracts}
(
    model LowCardinality(String),
    version UInt32 COMMENT 'counted from 1',
    contract String COMMENT 'JSON',
    actor String,
    written_at DateTime64(3, 'UTC')
)
ENGINE = {engine:MergeTree}
ORDER BY (model, version, written_at)
SETTINGS {deduplication}
