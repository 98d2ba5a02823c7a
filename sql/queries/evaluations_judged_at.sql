-- When a watch last judged each of its windows.
SELECT window_end, max(e.evaluated_at) AS judged_at
FROM evaluations AS e
WHERE model = {model:String} AND environment = {environment:String} AND watch = {watch:String}
    AND window_end > fromUnixTimestamp64Milli({after:Int64}, 'UTC')
    AND monitor NOT IN ('performance', 'fairness') AND NOT startsWith(signal, 'outcome.')
GROUP BY window_end
ORDER BY window_end
