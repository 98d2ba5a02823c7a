-- Open incidents about which nothing is known, or which have grown since something was, the newest first. Leeway's own
-- incidents have no causes in a model's data.
SELECT incident, max(recorded_at) AS grown_at, max(computed_at) AS known_at
FROM
(
    SELECT incident, recorded_at, toDateTime64(0, 3, 'UTC') AS computed_at
    FROM incident_events
    WHERE cause != 'leeway' AND kind IN ('opened', 'updated', 'escalated')
        AND incident IN (SELECT incident FROM incident_events GROUP BY incident HAVING countIf(kind = 'resolved') = 0)
    UNION ALL
    SELECT incident, toDateTime64(0, 3, 'UTC') AS recorded_at, computed_at FROM causes
)
GROUP BY incident
HAVING grown_at > known_at AND toUnixTimestamp64Milli(grown_at) > 0
    AND (toUnixTimestamp64Milli(known_at) = 0 OR known_at < fromUnixTimestamp64Milli({stale_ms:Int64}, 'UTC'))
ORDER BY grown_at DESC
LIMIT {most:UInt32}
