-- The raw events that are left of each hour, and when the first of them was received.
SELECT toInt64(toUnixTimestamp(toDateTime(toStartOfHour(timestamp, 'UTC'), 'UTC'))) AS hour_s, toInt64(count()) AS events,
    toUnixTimestamp64Milli(min(received_at)) AS first_received_ms
FROM predictions
WHERE model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
    AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
GROUP BY hour_s
