SELECT
    toString(p.metric) AS metric,
    toInt64({start:Int64} + intDiv(toInt64(toUnixTimestamp(hour)) - {start:Int64}, {step_s:Int64}) * {step_s:Int64}) AS at,
    if(sum(p.labelled) > 0, sum(p.value * p.labelled) / sum(p.labelled), nan) AS mean,
    if(sum(p.labelled) > 0, sqrt(sum(pow(p.standard_error * p.labelled, 2))) / sum(p.labelled), nan) AS error,
    toUInt64(sum(p.labelled)) AS with_outcome, toUInt64(sum(p.predictions)) AS all_predictions
FROM performance_hours AS p FINAL
WHERE model = {model:String} AND environment = {environment:String} AND segment = '' AND isFinite(value)
    AND hour >= toDateTime({start:Int64}, 'UTC') AND hour < toDateTime({end:Int64}, 'UTC')
GROUP BY metric, at
ORDER BY metric, at
LIMIT 20000
