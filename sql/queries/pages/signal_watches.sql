-- The watches that judged the signal in the range, and how many windows each has.
SELECT toString(e.watch) AS watch, toString(any(e.baseline)) AS baseline, toUInt64(uniqExact(window_end)) AS windows,
    toUInt64(countIf(monitor = 'drift')) AS compared
FROM evaluations AS e
WHERE model = {model:String} AND environment = {environment:String} AND signal = {signal:String}
    AND segment = {segment:String}
    AND window_end > fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
    AND window_end <= fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
GROUP BY watch
ORDER BY watch
LIMIT 100
