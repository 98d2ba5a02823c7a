-- Which files were imported, and how far: a repeated import of the same content goes on where it stopped.
CREATE TABLE IF NOT EXISTS {table:imports}
(
    file_sha256 String,
    mapping_sha256 String,
    model LowCardinality(String),
    name String,
    batches UInt32 COMMENT 'batches stored so far',
    rows UInt64,
    rejected UInt64,
    finished UInt8,
    started_at DateTime64(3, 'UTC'),
    written_at DateTime64(3, 'UTC')
)
ENGINE = {engine:ReplacingMergeTree(written_at)}
ORDER BY (model, file_sha256, mapping_sha256)
