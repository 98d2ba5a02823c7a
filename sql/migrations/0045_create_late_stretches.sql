-- Stretches of event time that events came to so late that grids may have counted back without them: each is compared with
-- the raw events until they agree. A note is settled by the same row with the time of the comparison.
CREATE TABLE IF NOT EXISTS {table:late_stretches}
(
    model String,
    start DateTime64(3, 'UTC'),
    end DateTime64(3, 'UTC'),
    noted_at DateTime64(3, 'UTC') COMMENT 'when the events were stored, or the stretch was last corrected',
    settled_at DateTime64(3, 'UTC') COMMENT 'when counts and raw events agreed, 1970 while they may not'
)
ENGINE = {engine:ReplacingMergeTree(settled_at)}
ORDER BY (model, start, end, noted_at)
TTL toDateTime(noted_at) + toIntervalDay(30)
