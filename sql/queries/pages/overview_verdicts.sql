-- The worst verdict of each stretch of time: 0 too little data, 1 on course, 2 suspect, 3 recovering, 4 ticket, 5 page.
SELECT
    toString(model) AS name, toString(e.environment) AS environment, toString(e.watch) AS watch,
    toInt32(intDiv(toUnixTimestamp64Milli(window_end) - 1 - {start_ms:Int64}, {step_ms:Int64})) AS bucket,
    max(toUInt8(multiIf(verdict = 'too_little_data', 0, verdict = 'on_course', 1, verdict = 'suspect', 2,
        verdict = 'recovering', 3, severity = 'ticket', 4, 5))) AS worst
FROM evaluations AS e
WHERE window_end > fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
    AND window_end <= fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
GROUP BY name, environment, watch, bucket
ORDER BY name, environment, watch, bucket
LIMIT 200000
