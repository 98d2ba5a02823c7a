-- What the stored breaches by the hour lack, against those by the minute: one row a rule and hour. Of hours before
-- `refused_since_ms` the minutes of refusals may have expired, and those of events of which nobody knows what they broke:
-- what the hours say of them is left as it is.
SELECT version, environment, rule, hour, n, refused
FROM
(
    SELECT version, environment, rule, hour,
        hour >= fromUnixTimestamp64Milli({refused_since_ms:Int64}, 'UTC') AS young,
        if(young, sum(part.every), sum(part.every - part.kept_out)) AS n, if(young, sum(part.kept_out), 0) AS refused,
        max(rule = '?') OVER (PARTITION BY hour) AS unknown
    FROM
    (
        SELECT version, environment, toString(b.rule) AS rule, toStartOfHour(minute, 'UTC') AS hour, b.n AS every,
            b.refused AS kept_out
        FROM breach_minutes AS b
        WHERE model = {model:String} AND minute >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
            AND minute < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        UNION ALL
        SELECT version, environment, toString(b.rule) AS rule, hour, -b.n AS every, -b.refused AS kept_out
        FROM breach_hours AS b
        WHERE model = {model:String} AND hour >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
            AND hour < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        UNION ALL
        SELECT '' AS version, '' AS environment, '?' AS rule, toStartOfHour(timestamp, 'UTC') AS hour, toInt64(0) AS every,
            toInt64(0) AS kept_out
        FROM broken_rules
        WHERE model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
            AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
            AND timestamp < fromUnixTimestamp64Milli({refused_since_ms:Int64}, 'UTC') AND has(rules, '?')
        GROUP BY hour
        UNION ALL
        SELECT '' AS version, '' AS environment, '?' AS rule, toStartOfHour(timestamp, 'UTC') AS hour, toInt64(0) AS every,
            toInt64(0) AS kept_out
        FROM predictions
        WHERE model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
            AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
            AND timestamp < fromUnixTimestamp64Milli({refused_since_ms:Int64}, 'UTC')
            AND received_at < fromUnixTimestamp64Milli({rules_since_ms:Int64}, 'UTC')
        GROUP BY hour
    ) AS part
    GROUP BY version, environment, rule, hour
)
WHERE (young OR NOT unknown) AND (n != 0 OR refused != 0)
