-- The longest stretch without an event that touches this stretch some periods ago, for each of the periods.
SELECT toUInt32(ago) AS periods_ago, max(g.gap_s) AS gap_s
FROM
(
    SELECT
        began, lagInFrame(ended, 1, began) OVER (ORDER BY began ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS previous,
        toFloat64(began - previous) / 1000 AS gap_s
    FROM
    (
        SELECT toUnixTimestamp64Milli(min(t.first_event)) AS began, toUnixTimestamp64Milli(max(t.last_event)) AS ended
        FROM traffic_minutes AS t
        WHERE model = {model:String} AND environment = {environment:String} AND segment = ''
            AND minute >= toDateTime(greatest({start:Int64} - {period_s:Int64} * ({periods:Int64} + 1), {not_before:Int64}), 'UTC')
            AND minute < toDateTime({start:Int64}, 'UTC')
        GROUP BY minute
    )
) AS g
ARRAY JOIN range(1, toUInt32({periods:Int64}) + 1) AS ago
WHERE g.previous < ({end:Int64} - ago * {period_s:Int64}) * 1000 AND g.began > ({start:Int64} - ago * {period_s:Int64}) * 1000
GROUP BY periods_ago
ORDER BY periods_ago
