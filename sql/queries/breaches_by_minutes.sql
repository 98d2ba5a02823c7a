-- Breaches by rule over time; the rule '' stands for the events that were stored.
SELECT rule, at, n, refused
FROM
(
    SELECT
        toString(rule) AS rule,
        toInt64({start:Int64} + intDiv(toInt64(toUnixTimestamp(minute)) - {start:Int64}, {step_s:UInt32}) * {step_s:UInt32}) AS at,
        toInt64(sum(b.n)) AS n, toInt64(sum(b.refused)) AS refused
    FROM breach_minutes AS b
    WHERE model = {model:String} AND environment = {environment:String}
        AND minute >= toDateTime({start:Int64}, 'UTC') AND minute < toDateTime({end:Int64}, 'UTC')
    GROUP BY rule, at
    UNION ALL
    SELECT
        '' AS rule,
        toInt64({start:Int64} + intDiv(toInt64(toUnixTimestamp(minute)) - {start:Int64}, {step_s:UInt32}) * {step_s:UInt32}) AS at,
        toInt64(sum(t.events)) AS n, toInt64(0) AS refused
    FROM traffic_minutes AS t
    WHERE model = {model:String} AND environment = {environment:String} AND segment = ''
        AND minute >= toDateTime({start:Int64}, 'UTC') AND minute < toDateTime({end:Int64}, 'UTC')
    GROUP BY at
)
WHERE n > 0
ORDER BY rule, at
