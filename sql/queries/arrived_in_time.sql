-- How many events a stretch has, and how many of them had been received at an instant.
SELECT toUInt64(count()) AS events,
    toUInt64(countIf(received_at <= fromUnixTimestamp64Milli({by_ms:Int64}, 'UTC'))) AS in_time
FROM predictions
WHERE model = {model:String} AND environment = {environment:String}
    AND timestamp >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
    AND timestamp < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
