-- The counts of a baseline, with the mean value and the mean prediction of each bin. Rows belong to the baseline whose
-- created_at they carry; those of a replaced one are left to merges.
CREATE TABLE IF NOT EXISTS {table:baseline_bins}
(
    model LowCardinality(String),
    environment LowCardinality(String),
    name String,
    created_at DateTime64(3, 'UTC'),
    segment LowCardinality(String),
    signal LowCardinality(String),
    grid UInt32,
    bin UInt16,
    n UInt64,
    mean Nullable(Float64),
    mean_prediction Nullable(Float64)
)
ENGINE = {engine:ReplacingMergeTree}
ORDER BY (model, environment, name, created_at, segment, signal, grid, bin)
