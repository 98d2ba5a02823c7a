-- The same as overview_verdicts, by whole hours.
SELECT
    toString(model) AS name, toString(v.environment) AS environment, toString(v.watch) AS watch,
    toInt32(intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {start_ms:Int64}, {step_ms:Int64})) AS bucket,
    max(v.worst) AS worst
FROM verdict_hours AS v
WHERE hour >= toDateTime(intDiv({start_ms:Int64}, 1000), 'UTC') AND hour < toDateTime(intDiv({end_ms:Int64}, 1000), 'UTC')
GROUP BY name, environment, watch, bucket
ORDER BY name, environment, watch, bucket
LIMIT 200000
