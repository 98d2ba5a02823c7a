-- Stretches whose counts may not agree with the raw events.
SELECT model, toUnixTimestamp64Milli(start) AS start_ms, toUnixTimestamp64Milli(end) AS end_ms,
    toUnixTimestamp64Milli(noted_at) AS noted_at_ms
FROM late_stretches FINAL
WHERE toUnixTimestamp64Milli(settled_at) = 0
ORDER BY model, start, end, noted_at
