-- The minutes of event time that events were received for after an instant, with when the last of them was.
SELECT minute, max(t.last_received_at) AS received_at
FROM traffic_minutes AS t
WHERE model = {model:String} AND environment = {environment:String} AND segment = ''
    AND minute >= toDateTime({start:Int64}, 'UTC') AND minute < toDateTime({end:Int64}, 'UTC')
GROUP BY minute
HAVING received_at > fromUnixTimestamp64Milli({received_after:Int64}, 'UTC')
ORDER BY minute
