-- The last window of each watch, as last evaluated. Segments are left out where they are on course, unless one is asked
-- for. Performance follows the outcomes and so has a last window of its own.
SELECT
    model, environment, watch, monitor, signal, segment, window_start, window_end, baseline, statistic, value,
    threshold, recovery, noise, n_baseline, n_current, verdict, severity, since, streak, numbers, sentence,
    evaluated_at
FROM
(
    SELECT *
    FROM evaluations
    WHERE model = {model:String} AND environment = {environment:String}
        AND (watch, monitor IN ('performance', 'fairness'), window_end) IN
        (
            SELECT watch, monitor IN ('performance', 'fairness'), max(window_end)
            FROM evaluations
            WHERE model = {model:String} AND environment = {environment:String}
                AND window_end > fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
                AND window_end <= fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
            GROUP BY watch, monitor IN ('performance', 'fairness')
        )
        AND window_end > fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
        AND window_end <= fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
        AND ({signal:String} = '' OR signal = {signal:String})
    ORDER BY watch, monitor, signal, segment, evaluated_at DESC
    LIMIT 1 BY watch, monitor, signal, segment
)
WHERE segment = {segment:String} OR verdict IN ('suspect', 'off_course', 'recovering')
ORDER BY watch, monitor, signal, segment
LIMIT 20000
