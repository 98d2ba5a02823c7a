-- The hours of the predictions whose outcomes were received after an instant.
SELECT toUInt32(toUnixTimestamp(toStartOfHour(toDateTime(timestamp, 'UTC')))) AS hour
FROM predictions
WHERE model = {model:String} AND environment = {environment:String}
    AND timestamp >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
    AND id IN
    (
        SELECT id FROM outcomes
        WHERE model = {model:String} AND received_at > fromUnixTimestamp64Milli({received_after:Int64}, 'UTC')
    )
GROUP BY hour
ORDER BY hour
