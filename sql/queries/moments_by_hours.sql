SELECT
    toString(segment) AS segment, toString(signal) AS signal,
    toInt64({start:Int64} + intDiv(toInt64(toUnixTimestamp(hour)) - {start:Int64}, {step_s:UInt32}) * {step_s:UInt32}) AS at,
    toInt64(sum(m.n)) AS n, sum(m.sum) AS sum, sum(m.sum_of_squares) AS sum_of_squares, min(m.least) AS least,
    max(m.greatest) AS greatest
FROM signal_moment_hours AS m
WHERE model = {model:String} AND environment = {environment:String}
    AND hour >= toDateTime({start:Int64}, 'UTC') AND hour < toDateTime({end:Int64}, 'UTC')
    AND (empty({segments:Array(String)}) OR segment IN {segments:Array(String)})
    AND (empty({signals:Array(String)}) OR signal IN {signals:Array(String)})
    AND (empty({versions:Array(String)}) OR version IN {versions:Array(String)})
    AND NOT has({other_versions:Array(String)}, version)
GROUP BY segment, signal, at
HAVING n > 0
ORDER BY segment, signal, at
