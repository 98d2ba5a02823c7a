-- The counts of a stretch in one sum, of all versions or of one.
SELECT toString(segment) AS segment, toString(signal) AS signal, grid, bin, toInt64(sum(s.n)) AS n
FROM signal_hours AS s
WHERE model = {model:String} AND environment = {environment:String}
    AND hour >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND hour < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND ({version:String} = '' OR version = {version:String})
GROUP BY segment, signal, grid, bin
HAVING n > 0
ORDER BY segment, signal, grid, bin
