-- The days of a model for which breaches are counted, or events were refused: also where none was stored.
SELECT toInt64(toUnixTimestamp(toDateTime(at, 'UTC'))) AS day, toUInt64(0) AS events, max(received) AS last_received_at
FROM
(
    SELECT toStartOfDay(minute, 'UTC') AS at, fromUnixTimestamp64Milli(toInt64(0), 'UTC') AS received
    FROM breach_minutes
    WHERE model = {model:String} AND minute >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND minute < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    UNION ALL
    SELECT toStartOfDay(happened_at, 'UTC') AS at, received_at AS received
    FROM rejected_events
    WHERE model = {model:String} AND happened_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND happened_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC') AND notEmpty(rules)
)
GROUP BY day
ORDER BY day
