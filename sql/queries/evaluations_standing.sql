-- Where each subject of a watch stands after the windows that end at or before an instant: its last verdict that says
-- something. A later evaluation of the same window replaces an earlier one.
SELECT
    toString(monitor) AS monitor, toString(signal) AS signal, toString(segment) AS segment,
    toString(argMax(e.verdict, (e.window_end, e.evaluated_at))) AS verdict,
    argMax(e.streak, (e.window_end, e.evaluated_at)) AS streak,
    argMax(e.since, (e.window_end, e.evaluated_at)) AS since
FROM evaluations AS e
WHERE model = {model:String} AND environment = {environment:String} AND watch = {watch:String}
    AND window_end <= fromUnixTimestamp64Milli({until:Int64}, 'UTC')
    AND window_end > fromUnixTimestamp64Milli({after:Int64}, 'UTC')
    AND (monitor IN ('performance', 'fairness') OR startsWith(signal, 'outcome.')) = {performance:UInt8}
    AND e.verdict != 'too_little_data'
GROUP BY monitor, signal, segment
