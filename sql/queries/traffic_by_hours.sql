-- The parameter signals is bound for every question and decides nothing here.
SELECT
    toString(segment) AS segment,
    toInt64({start:Int64} + intDiv(toInt64(toUnixTimestamp(hour)) - {start:Int64}, {step_s:UInt32}) * {step_s:UInt32}) AS at,
    toInt64(sum(t.events)) AS events, toInt64(sum(t.errors)) AS errors, min(t.first_event) AS first_event,
    max(t.last_event) AS last_event, toInt64(max(t.largest_lag_ms)) AS largest_lag_ms,
    max(t.last_received_at) AS last_received_at
FROM traffic_hours AS t
WHERE model = {model:String} AND environment = {environment:String}
    AND hour >= toDateTime({start:Int64}, 'UTC') AND hour < toDateTime({end:Int64}, 'UTC')
    AND (empty({segments:Array(String)}) OR segment IN {segments:Array(String)})
    AND length({signals:Array(String)}) >= 0
GROUP BY segment, at
HAVING events > 0
ORDER BY segment, at
