-- The window in which each of an incident's subjects was farthest beyond its limit.
SELECT
    model, environment, watch, monitor, signal, segment, window_start, window_end, baseline, statistic, value,
    threshold, recovery, noise, n_baseline, n_current, verdict, severity, since, streak, numbers, sentence,
    evaluated_at
FROM evaluations
WHERE model = {model:String} AND environment = {environment:String} AND watch = {watch:String}
    AND window_end > fromUnixTimestamp64Milli({start:Int64}, 'UTC')
    AND window_end <= fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND signal IN {signals:Array(String)} AND segment IN {segments:Array(String)}
    AND monitor IN {monitors:Array(String)}
    AND verdict IN ('suspect', 'off_course')
ORDER BY value / greatest(abs(threshold), 1e-12) DESC, evaluated_at DESC
LIMIT 1 BY monitor, signal, segment
