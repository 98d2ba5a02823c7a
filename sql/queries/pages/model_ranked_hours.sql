-- The same as model_ranked, by whole hours.
SELECT toString(v.name) AS name, is_monitor, max(v.peak) AS peak, max(v.worst) AS worst
FROM verdict_hours AS v
WHERE model = {model:String} AND environment = {environment:String}
    AND ({watch:String} = '' OR watch = {watch:String})
    AND hour >= toDateTime(intDiv({start_ms:Int64}, 1000), 'UTC') AND hour < toDateTime(intDiv({end_ms:Int64}, 1000), 'UTC')
GROUP BY name, is_monitor
ORDER BY worst DESC, peak DESC, name
LIMIT 10000
