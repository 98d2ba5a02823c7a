SELECT
    toString(model) AS name, toString(p.environment) AS environment, toString(p.metric) AS metric,
    sum(p.value * p.labelled) / sum(p.labelled) AS mean,
    sqrt(sum(pow(p.standard_error * p.labelled, 2))) / sum(p.labelled) AS error,
    toUInt64(sum(p.labelled)) AS with_outcome, toUInt64(sum(p.predictions)) AS all_predictions,
    toUInt32(max(p.hour)) AS latest
FROM performance_hours AS p FINAL
WHERE segment = '' AND labelled > 0 AND isFinite(value) AND hour >= toDateTime({start:Int64}, 'UTC')
    AND hour < toDateTime({end:Int64}, 'UTC')
GROUP BY name, environment, metric
ORDER BY name, environment, metric
LIMIT 20000
