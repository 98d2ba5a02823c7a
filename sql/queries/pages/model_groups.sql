-- How the groups that a contract names were treated, and what lies between their extremes (where the segment is the name of
-- the dimension alone): all hours of a stretch together, weighted by the predictions whose outcome has come.
SELECT
    toString(p.segment) AS segment, toString(p.metric) AS metric,
    if(sum(p.labelled) > 0, sum(p.value * p.labelled) / sum(p.labelled), nan) AS mean,
    if(sum(p.labelled) > 0, sqrt(sum(pow(p.standard_error * p.labelled, 2))) / sum(p.labelled), nan) AS error,
    toUInt64(sum(p.labelled)) AS with_outcome, toUInt64(sum(p.predictions)) AS all_predictions
FROM performance_hours AS p FINAL
WHERE model = {model:String} AND environment = {environment:String} AND p.segment != '' AND isFinite(p.value)
    AND hour >= toDateTime({start:Int64}, 'UTC') AND hour < toDateTime({end:Int64}, 'UTC')
GROUP BY segment, metric
ORDER BY segment, metric
LIMIT 5000
