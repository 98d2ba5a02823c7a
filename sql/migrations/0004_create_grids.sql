-- The bins of each signal, with the receive time from which collectors count by them. A later row of the same grid
-- replaces an earlier one (announced, then recounted).
CREATE TABLE IF NOT EXISTS {table:grids}
(
    model LowCardinality(String),
    signal LowCardinality(String),
    grid UInt32,
    kind Enum8('number' = 1, 'category' = 2),
    holds_from DateTime64(3, 'UTC'),
    edges Array(Float64) COMMENT 'kind number: ascending, bin 3 + i is (edge[i-1], edge[i]]',
    lows Array(Float64) COMMENT 'kind number: the least value of each value bin, for the range dictionary',
    highs Array(Float64) COMMENT 'kind number: the greatest value of each value bin',
    levels Array(String) COMMENT 'kind category: bin 3 + i is level[i]',
    made_from String,
    made_of UInt64 COMMENT 'how many values it was made of',
    announced_at DateTime64(3, 'UTC'),
    recounted_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when everything received before holds_from had been counted by it',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = {engine:ReplacingMergeTree(written_at)}
ORDER BY (model, signal, grid)
