-- How many values of a duration came in each step, and how many of them lie beyond the bin that is the last good one.
-- Values that are missing or invalid are bad where that is asked for, and otherwise none.
SELECT
    name AS signal, at, toInt64(sum(c.events)) AS events, toInt64(sum(c.bad)) AS bad
FROM
(
    SELECT
        toString(signal) AS name, indexOf({signals:Array(String)}, name) AS place,
        toInt64({start:Int64} + intDiv(toInt64(toUnixTimestamp(minute)) - {start:Int64}, {step_s:UInt32}) * {step_s:UInt32}) AS at,
        {missing_is_bad:Array(UInt8)}[place] = 1 AS counts_missing,
        if(bin > 1 OR counts_missing, n, 0) AS events,
        if(if(bin > 1, bin > {last_good:Array(UInt16)}[place], counts_missing), n, 0) AS bad
    FROM signal_minutes
    WHERE model = {model:String} AND environment = {environment:String} AND segment = ''
        AND minute >= toDateTime({start:Int64}, 'UTC') AND minute < toDateTime({end:Int64}, 'UTC')
        AND signal IN {signals:Array(String)} AND grid = {grids:Array(UInt32)}[place]
) AS c
GROUP BY signal, at
HAVING events > 0
ORDER BY signal, at
