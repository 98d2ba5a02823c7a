-- What was evaluated in a stretch of time, as far as incidents can come of it or end by it: windows that are not on course, and
-- all windows of the models that have an alarm, here or in the list.
SELECT
    model, environment, watch, monitor, signal, segment, window_start, window_end, baseline, statistic, value,
    threshold, recovery, noise, n_baseline, n_current, verdict, severity, since, streak, numbers, sentence,
    evaluated_at
FROM evaluations
WHERE evaluated_at >= fromUnixTimestamp64Milli({first:Int64}, 'UTC')
    AND evaluated_at <= fromUnixTimestamp64Milli({last:Int64}, 'UTC')
    AND verdict != 'too_little_data'
    AND (
        verdict IN ('off_course', 'recovering')
        OR monitor = 'analyzer'
        OR model IN {models:Array(String)}
        OR model GLOBAL IN (
            SELECT model FROM evaluations
            WHERE evaluated_at >= fromUnixTimestamp64Milli({first:Int64}, 'UTC')
                AND evaluated_at <= fromUnixTimestamp64Milli({last:Int64}, 'UTC')
                AND verdict = 'off_course'
        )
    )
ORDER BY evaluated_at
