-- What a watch said of its windows, without the numbers.
SELECT
    toString(monitor) AS monitor, toString(signal) AS signal, toString(segment) AS segment, window_end,
    toString(verdict) AS verdict, streak, since
FROM evaluations FINAL
WHERE model = {model:String} AND environment = {environment:String} AND watch = {watch:String}
    AND window_end > fromUnixTimestamp64Milli({after:Int64}, 'UTC')
    AND window_end <= fromUnixTimestamp64Milli({until:Int64}, 'UTC')
    AND (monitor IN ('performance', 'fairness') OR startsWith(signal, 'outcome.')) = {performance:UInt8}
ORDER BY window_end
