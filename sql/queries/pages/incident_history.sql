-- How the statistics of an incident's subjects went: of each step the latest window, as last evaluated.
SELECT
    monitor, signal, segment, window_end, value, threshold, verdict, n_current
FROM evaluations
WHERE model = {model:String} AND environment = {environment:String} AND watch = {watch:String}
    AND window_end > fromUnixTimestamp64Milli({start:Int64}, 'UTC')
    AND window_end <= fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND signal IN {signals:Array(String)} AND segment IN {segments:Array(String)}
    AND monitor IN {monitors:Array(String)}
ORDER BY monitor, signal, segment, window_end DESC, evaluated_at DESC
LIMIT 1 BY monitor, signal, segment, intDiv(toUnixTimestamp64Milli(window_end) - 1, {step_ms:Int64})
