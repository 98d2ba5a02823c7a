-- The traffic of a stretch in steps, and of the same stretch some whole periods ago: of windows the same hours of earlier
-- days, say. Steps without events have no row.
SELECT
    {origin:Int64} + intDiv(toInt64(toUnixTimestamp(hour)) - {origin:Int64}, {step_s:Int64}) * {step_s:Int64} AS at,
    toInt64(sum(t.events)) AS events, toInt64(sum(t.errors)) AS errors
FROM traffic_hours AS t
WHERE model = {model:String} AND environment = {environment:String} AND segment = ''
    AND hour >= toDateTime({start:Int64}, 'UTC') AND hour < toDateTime({end:Int64}, 'UTC')
    AND (toInt64(toUnixTimestamp(hour)) - {origin:Int64}) % {period_s:Int64} < {length_s:Int64}
GROUP BY at
