-- Hours that can perhaps not be counted again: fewer events are counted by their minutes than by the hour, or raw events
-- that were counted are gone.
SELECT toInt64(toUnixTimestamp(at)) AS hour_s, by_hours, toUnixTimestamp64Milli(received) AS received_ms
FROM
(
    SELECT at, sum(part.by_hours) AS by_hours, sum(part.by_minutes) AS by_minutes, min(part.received) AS received
    FROM
    (
        SELECT hour AS at, t.events AS by_hours, toInt64(0) AS by_minutes, t.last_received_at AS received
        FROM traffic_hours AS t
        WHERE model = {model:String} AND segment = '' AND hour >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
            AND hour < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        UNION ALL
        SELECT toStartOfHour(minute, 'UTC') AS at, toInt64(0) AS by_hours, t.events AS by_minutes,
            t.last_received_at AS received
        FROM traffic_minutes AS t
        WHERE model = {model:String} AND segment = '' AND minute >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
            AND minute < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    ) AS part
    GROUP BY at
)
WHERE by_minutes < by_hours
    OR (by_hours > 0 AND received < fromUnixTimestamp64Milli({kept_since_ms:Int64}, 'UTC'))
ORDER BY at
