-- How many minutes of a stretch hold an event of which nobody knows what it broke: it says so, or was received before the
-- rules of every event were kept.
SELECT toUInt64(uniqExact(minute))
FROM
(
    SELECT toStartOfMinute(timestamp, 'UTC') AS minute
    FROM broken_rules
    WHERE model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC') AND has(rules, '?')
    UNION ALL
    SELECT toStartOfMinute(timestamp, 'UTC') AS minute
    FROM predictions
    WHERE model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND received_at < fromUnixTimestamp64Milli({rules_since_ms:Int64}, 'UTC')
)
