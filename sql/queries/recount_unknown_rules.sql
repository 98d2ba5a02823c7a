-- How many minutes of a stretch hold an event of which nobody knows what it broke.
SELECT toUInt64(uniqExact(toStartOfMinute(timestamp, 'UTC')))
FROM predictions
WHERE model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
    AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC') AND has(rules, '?')
