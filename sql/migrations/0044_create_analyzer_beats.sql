-- Which analyzers live: one row a part of the models, with when it was last heard of by the store's own clock.
CREATE TABLE IF NOT EXISTS {table:analyzer_beats}
(
    shards UInt32 COMMENT 'how many parts there are',
    place UInt32 COMMENT 'which of them this is, from 1',
    beat_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = {engine:ReplacingMergeTree(beat_at)}
ORDER BY (shards, place)
