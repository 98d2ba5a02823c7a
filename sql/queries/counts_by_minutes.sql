SELECT
    toString(segment) AS segment, toString(signal) AS signal, grid,
    toInt64({start:Int64} + intDiv(toInt64(toUnixTimestamp(minute)) - {start:Int64}, {step_s:UInt32}) * {step_s:UInt32}) AS at,
    bin, toInt64(sum(s.n)) AS n
FROM signal_minutes AS s
WHERE model = {model:String} AND environment = {environment:String}
    AND minute >= toDateTime({start:Int64}, 'UTC') AND minute < toDateTime({end:Int64}, 'UTC')
    AND (empty({segments:Array(String)}) OR segment IN {segments:Array(String)})
    AND (empty({signals:Array(String)}) OR signal IN {signals:Array(String)})
    AND (empty({versions:Array(String)}) OR version IN {versions:Array(String)})
    AND NOT has({other_versions:Array(String)}, version)
GROUP BY segment, signal, grid, at, bin
HAVING n > 0
ORDER BY segment, signal, grid, at, bin
