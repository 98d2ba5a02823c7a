-- What the stored breaches of a stretch of event time lack (n > 0) or have too much (n < 0), against the events: one row a
-- rule and minute. What stored events broke is in `broken_rules`, what refused ones broke in `rejected_events`, which is kept
-- for another time: of minutes before `refused_since_ms`, what is stored of refusals is left as it is. So are minutes with an
-- event of which nobody knows what it broke: it says so, or was received before `rules_since_ms`.
SELECT version, environment, rule, minute, n, refused
FROM
(
    SELECT version, environment, rule, minute, sum(change) AS n, sum(kept_out) AS refused,
        max(rule = '?') OVER (PARTITION BY minute) AS unknown
    FROM
    (
        SELECT version, environment, toString(broken) AS rule, toStartOfMinute(timestamp, 'UTC') AS minute,
            toInt64(count()) AS change, toInt64(0) AS kept_out
        FROM broken_rules ARRAY JOIN rules AS broken
        WHERE model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
            AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        GROUP BY version, environment, rule, minute
        UNION ALL
        SELECT '' AS version, '' AS environment, '?' AS rule, toStartOfMinute(timestamp, 'UTC') AS minute,
            toInt64(0) AS change, toInt64(0) AS kept_out
        FROM predictions
        WHERE model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
            AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
            AND received_at < fromUnixTimestamp64Milli({rules_since_ms:Int64}, 'UTC')
        GROUP BY minute
        UNION ALL
        SELECT version, environment, broken AS rule, toStartOfMinute(happened_at, 'UTC') AS minute,
            toInt64(count()) AS change, toInt64(count()) AS kept_out
        FROM rejected_events ARRAY JOIN rules AS broken
        WHERE model = {model:String} AND happened_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
            AND happened_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
            AND happened_at >= fromUnixTimestamp64Milli({refused_since_ms:Int64}, 'UTC')
        GROUP BY version, environment, rule, minute
        UNION ALL
        SELECT version, environment, toString(b.rule) AS rule, minute,
            if(minute >= fromUnixTimestamp64Milli({refused_since_ms:Int64}, 'UTC'), -b.n, b.refused - b.n) AS change,
            if(minute >= fromUnixTimestamp64Milli({refused_since_ms:Int64}, 'UTC'), -b.refused, 0) AS kept_out
        FROM breach_minutes AS b
        WHERE model = {model:String} AND minute >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
            AND minute < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    )
    GROUP BY version, environment, rule, minute
)
WHERE NOT unknown AND (n != 0 OR refused != 0)
