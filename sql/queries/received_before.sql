-- Between which instants the events lie that were received before another one, and with their values.
SELECT toString(environment) AS environment, toUInt64(count()) AS events, min(p.timestamp) AS first_event,
    max(p.timestamp) AS last_event
FROM predictions AS p
WHERE model = {model:String} AND received_at < fromUnixTimestamp64Milli({received_before_ms:Int64}, 'UTC')
    AND NOT arrayExists(
        (since, until) -> toUnixTimestamp64Milli(received_at) >= since AND toUnixTimestamp64Milli(received_at) < until,
        {unvalued_since:Array(Int64)}, {unvalued_until:Array(Int64)})
GROUP BY environment
ORDER BY environment
