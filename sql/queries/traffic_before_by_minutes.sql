-- The traffic of the same stretch some periods ago: of windows the same hour of earlier days, say. Periods without
-- events have no row.
SELECT
    toUInt32(intDiv({end:Int64} - 1 - toInt64(toUnixTimestamp(minute)), {period_s:Int64})) AS periods_ago,
    toInt64(sum(t.events)) AS events, toInt64(sum(t.errors)) AS errors
FROM traffic_minutes AS t
WHERE model = {model:String} AND environment = {environment:String} AND segment = ''
    AND minute >= toDateTime(greatest({start:Int64} - {period_s:Int64} * {periods:Int64}, {not_before:Int64}), 'UTC')
    AND minute < toDateTime({start:Int64}, 'UTC')
    AND ({end:Int64} - 1 - toInt64(toUnixTimestamp(minute))) % {period_s:Int64} < {end:Int64} - {start:Int64}
GROUP BY periods_ago
ORDER BY periods_ago
