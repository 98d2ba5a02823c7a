-- How many different events a stretch has.
SELECT toUInt64(uniqExact(id)) AS events
FROM predictions
WHERE model = {model:String} AND environment = {environment:String}
    AND timestamp >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
    AND timestamp < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
    AND ({version:String} = '' OR version = {version:String})
