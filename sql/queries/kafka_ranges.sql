-- The last claim of each life of a partition: by topic id, and by era within it.
SELECT
    topic_id, era, first_offset, next_offset, messages, toUnixTimestamp64Milli(received_at) AS received_at_ms,
    repeated
FROM kafka_ranges
WHERE consumer_group = {group:String} AND topic = {topic:String} AND partition = {partition:Int32}
ORDER BY topic_id, era, first_offset DESC, claimed_at
LIMIT 1 BY topic_id, era
