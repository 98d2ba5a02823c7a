-- Which offsets of a Kafka partition are one batch, claimed before the batch is stored. Of two claims of one first
-- offset the store keeps the first (insert tokens); of a partition's claims it keeps the last.
-- No parts by time: a token is known within its part of the table only.
CREATE TABLE IF NOT EXISTS {table:kafka_ranges}
(
    consumer_group String,
    topic String,
    partition Int32,
    topic_id String COMMENT 'another one where the topic was deleted and made again',
    era UInt32 COMMENT 'how often the offsets of the partition went back, as after an unclean election',
    first_offset Int64,
    next_offset Int64 COMMENT 'the first one after the batch',
    messages UInt32,
    received_at DateTime64(3, 'UTC') COMMENT 'of every event of the batch, also when it is stored again',
    claimed_by String COMMENT 'the collector, for people',
    claimed_at DateTime64(3, 'UTC')
)
ENGINE = {engine:ReplacingMergeTree(first_offset)}
ORDER BY (consumer_group, topic, partition, topic_id, era)
SETTINGS {deduplication}
