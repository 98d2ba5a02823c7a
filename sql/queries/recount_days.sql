-- The raw events of a model by the day, with when the newest of each was received.
SELECT toInt64(toUnixTimestamp(toDateTime(toStartOfDay(timestamp, 'UTC'), 'UTC'))) AS day, toUInt64(count()) AS events,
    max(received_at) AS last_received_at
FROM predictions
WHERE model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
    AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
GROUP BY day
ORDER BY day
