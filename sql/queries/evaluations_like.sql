-- How many verdicts there are on one window of a watch. Performance follows the outcomes and is judged by itself.
SELECT toUInt64(count()) AS rows
FROM evaluations
WHERE model = {model:String} AND environment = {environment:String} AND watch = {watch:String}
    AND window_end = fromUnixTimestamp64Milli({window_end:Int64}, 'UTC')
    AND (monitor IN ('performance', 'fairness') OR startsWith(signal, 'outcome.')) = {performance:UInt8}
