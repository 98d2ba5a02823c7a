-- The moments of a stretch in one sum, of all versions or of one.
SELECT toString(segment) AS segment, toString(signal) AS signal, toInt64(sum(m.n)) AS n, sum(m.sum) AS total,
    sum(m.sum_of_squares) AS squares, min(m.least) AS lowest, max(m.greatest) AS highest
FROM signal_moments AS m
WHERE model = {model:String} AND environment = {environment:String}
    AND minute >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND minute < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND ({version:String} = '' OR version = {version:String})
GROUP BY segment, signal
HAVING n > 0
