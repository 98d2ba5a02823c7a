SELECT toUInt64(countIf(open AND page)) AS pages, toUInt64(countIf(open AND NOT page)) AS tickets,
    toUInt64(countIf(page AND false_at >= fromUnixTimestamp64Milli({false_since:Int64}, 'UTC'))) AS false_pages
FROM
(
    SELECT countIf(kind = 'resolved') = 0 AS open, countIf(severity = 'page') > 0 AS page,
        maxIf(at, kind = 'marked_false') AS false_at
    FROM incident_events
    GROUP BY incident
)
