-- The minutes of a stretch in which an event was received so lately that its batch may be stored in part only, by the
-- raw events (where they are asked for), by the counts, or by what was refused. What claims to come from the future is not
-- waited for.
SELECT toInt64(toUnixTimestamp(minute)) AS minute_s
FROM
(
    SELECT toDateTime(toStartOfMinute(timestamp, 'UTC'), 'UTC') AS minute
    FROM predictions
    WHERE {raw:UInt8} = 1 AND model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND received_at > fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
        AND received_at <= fromUnixTimestamp64Milli({until_ms:Int64}, 'UTC')
    UNION ALL
    SELECT minute
    FROM traffic_minutes
    WHERE model = {model:String} AND segment = '' AND minute >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND minute < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND last_received_at > fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
        AND last_received_at <= fromUnixTimestamp64Milli({until_ms:Int64}, 'UTC')
    UNION ALL
    SELECT toDateTime(toStartOfMinute(happened_at, 'UTC'), 'UTC') AS minute
    FROM rejected_events
    WHERE model = {model:String} AND happened_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND happened_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC') AND notEmpty(rules)
        AND received_at > fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
        AND received_at <= fromUnixTimestamp64Milli({until_ms:Int64}, 'UTC')
)
GROUP BY minute
ORDER BY minute
