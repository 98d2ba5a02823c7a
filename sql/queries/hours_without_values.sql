-- The hours of event time in a stretch that hold an event received while values were not kept.
SELECT DISTINCT toInt64(toUnixTimestamp(toStartOfHour(timestamp, 'UTC'))) AS hour_s
FROM predictions
WHERE model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
    AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND arrayExists((since, until) -> toUnixTimestamp64Milli(received_at) >= since AND toUnixTimestamp64Milli(received_at) < until,
        {unvalued_since:Array(Int64)}, {unvalued_until:Array(Int64)})
ORDER BY hour_s
