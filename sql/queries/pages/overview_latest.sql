-- What the latest window of each watch says: how many subjects stand how, and the worst of them in words.
SELECT
    toString(model) AS name, toString(e.environment) AS environment, toString(e.watch) AS watch, window_end,
    toUInt64(countIf(verdict = 'too_little_data')) AS too_little, toUInt64(countIf(verdict = 'on_course')) AS on_course,
    toUInt64(countIf(verdict = 'suspect')) AS suspect,
    toUInt64(countIf(verdict IN ('off_course', 'recovering'))) AS off_course,
    toUInt64(max(n_current)) AS events,
    argMax(sentence, (verdict IN ('off_course', 'recovering'), verdict = 'suspect', value / greatest(abs(threshold), 1e-9))) AS sentence
FROM evaluations AS e FINAL
WHERE window_end > fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
    AND window_end <= fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
GROUP BY name, environment, watch, window_end
ORDER BY name, environment, watch, window_end DESC
LIMIT 1 BY name, environment, watch
LIMIT 5000
