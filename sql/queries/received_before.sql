-- Between which instants the events lie that were received before another one.
SELECT toString(environment) AS environment, toUInt64(count()) AS events, min(p.timestamp) AS first_event,
    max(p.timestamp) AS last_event
FROM predictions AS p
WHERE model = {model:String} AND received_at < fromUnixTimestamp64Milli({received_before_ms:Int64}, 'UTC')
GROUP BY environment
ORDER BY environment
