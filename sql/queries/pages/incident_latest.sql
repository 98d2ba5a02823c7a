-- The last window in which each of an incident's subjects was off course.
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
    AND verdict = 'off_course'
ORDER BY window_end DESC, evaluated_at DESC
LIMIT 1 BY monitor, signal, segment
