-- Numbers of some signals from which grids are made.
SELECT toString(name) AS signal, toUInt64(count()) AS n, groupArray(20000)(value) AS sample
FROM predictions ARRAY JOIN mapKeys(numbers) AS name, mapValues(numbers) AS value
WHERE model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
    AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND name IN {signals:Array(String)}
GROUP BY signal
