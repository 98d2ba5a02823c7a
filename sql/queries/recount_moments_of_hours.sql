-- What the stored moments by the hour lack, against those by the minute: one row an hour, with the extremes of its minutes.
-- What is said of digits and of extremes in recount_moments.sql holds here.
SELECT version, environment, segment, signal, hour, sum(part.change) AS n, sum(part.total) AS total,
    sum(part.squares) AS squares, min(part.lowest) AS lowest, max(part.highest) AS highest
FROM
(
    SELECT version, environment, toString(segment) AS segment, toString(signal) AS signal,
        toStartOfHour(minute, 'UTC') AS hour, m.n AS change, m.sum AS total, m.sum_of_squares AS squares,
        m.least AS lowest, m.greatest AS highest
    FROM signal_moments AS m
    WHERE model = {model:String} AND minute >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND minute < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND (segment = '' ? {whole:UInt8} = 1 : has({dimensions:Array(String)}, splitByChar('=', toString(segment))[1]))
    UNION ALL
    SELECT version, environment, toString(segment) AS segment, toString(signal) AS signal, hour, -m.n AS change,
        -m.sum AS total, -m.sum_of_squares AS squares, inf AS lowest, -inf AS highest
    FROM signal_moment_hours AS m
    WHERE model = {model:String} AND hour >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND hour < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND (segment = '' ? {whole:UInt8} = 1 : has({dimensions:Array(String)}, splitByChar('=', toString(segment))[1]))
) AS part
GROUP BY version, environment, segment, signal, hour
HAVING n != 0 OR abs(total) > 1e-9 * sum(abs(part.total)) OR abs(squares) > 1e-9 * sum(abs(part.squares))
