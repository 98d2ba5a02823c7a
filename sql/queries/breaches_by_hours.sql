-- Breaches by rule over time; the rule '' stands for the events that were stored.
SELECT rule, at, n, refused
FROM
(
    SELECT
        toString(rule) AS rule,
        toInt64({start:Int64} + intDiv(toInt64(toUnixTimestamp(hour)) - {start:Int64}, {step_s:UInt32}) * {step_s:UInt32}) AS at,
        toInt64(sum(b.n)) AS n, toInt64(sum(b.refused)) AS refused
    FROM breach_hours AS b
    WHERE model = {model:String} AND environment = {environment:String}
        AND hour >= toDateTime({start:Int64}, 'UTC') AND hour < toDateTime({end:Int64}, 'UTC')
    GROUP BY rule, at
    UNION ALL
    SELECT
        '' AS rule,
        toInt64({start:Int64} + intDiv(toInt64(toUnixTimestamp(hour)) - {start:Int64}, {step_s:UInt32}) * {step_s:UInt32}) AS at,
        toInt64(sum(t.events)) AS n, toInt64(0) AS refused
    FROM traffic_hours AS t
    WHERE model = {model:String} AND environment = {environment:String} AND segment = ''
        AND hour >= toDateTime({start:Int64}, 'UTC') AND hour < toDateTime({end:Int64}, 'UTC')
    GROUP BY at
)
WHERE n > 0
ORDER BY rule, at
