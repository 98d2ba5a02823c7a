-- Which files were imported, and how far: a repeated import of the same content goes on where it stopped.
CREATE TABLE IF NOT EXISTS {table:imports}
(
    file_sha256 String,
    mapping_sha256 String,
    model LowCardinality(String),
    name String,
    batches UInt32 COMMENT 'batches surely stored so far',
    batch_rows UInt32 COMMENT 'rows of the file in a batch',
    rows UInt64 COMMENT 'rows of the file in those batches',
    outcomes UInt64,
    rejected UInt64,
    shift_ms Int64 COMMENT 'added to every time in the file',
    received_at DateTime64(3, 'UTC') COMMENT 'of the batch after those: the same when it is repeated',
    finished UInt8,
    started_at DateTime64(3, 'UTC'),
    written_at DateTime64(3, 'UTC')
)
ENGINE = {engine:ReplacingMergeTree(written_at)}
ORDER BY (model, file_sha256, mapping_sha256)
