-- The days for which traffic was counted, also where no raw event is left or ever was.
SELECT toInt64(toUnixTimestamp(toDateTime(toStartOfDay(minute, 'UTC'), 'UTC'))) AS day, toUInt64(greatest(sum(t.events), 0)) AS events,
    max(t.last_received_at) AS last_received_at
FROM traffic_minutes AS t
WHERE model = {model:String} AND segment = '' AND minute >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
    AND minute < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
GROUP BY day
ORDER BY day
