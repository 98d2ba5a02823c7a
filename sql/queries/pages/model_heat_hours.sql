-- The same as model_heat, by whole hours.
SELECT
    toString(v.name) AS name, toString(v.watch) AS watch,
    toInt32(intDiv(toInt64(toUnixTimestamp(hour)) * 1000 - {start_ms:Int64}, {step_ms:Int64})) AS bucket,
    max(v.worst) AS worst
FROM verdict_hours AS v
WHERE model = {model:String} AND environment = {environment:String}
    AND ({watch:String} = '' OR v.watch = {watch:String})
    AND hour >= toDateTime(intDiv({start_ms:Int64}, 1000), 'UTC') AND hour < toDateTime(intDiv({end_ms:Int64}, 1000), 'UTC')
    AND v.name IN {names:Array(String)}
GROUP BY name, watch, bucket
ORDER BY name, watch, bucket
LIMIT 100000
