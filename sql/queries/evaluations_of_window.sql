-- When a watch's window was evaluated, at first.
SELECT min(evaluated_at) AS evaluated_at, toUInt64(count()) AS rows
FROM evaluations
WHERE model = {model:String} AND environment = {environment:String} AND watch = {watch:String}
    AND window_end = fromUnixTimestamp64Milli({window_end:Int64}, 'UTC')
