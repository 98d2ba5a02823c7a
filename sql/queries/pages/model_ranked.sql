-- How far each signal (or, for what is about the whole model, each monitor) went beyond its limits in the range.
SELECT
    toString(if(signal = '', monitor, signal)) AS name, toUInt8(signal = '') AS is_monitor,
    max(if(isFinite(value) AND threshold > 0 AND verdict != 'too_little_data', value / threshold, 0)) AS peak,
    max(toUInt8(multiIf(verdict = 'too_little_data', 0, verdict = 'on_course', 1, verdict = 'suspect', 2,
        verdict = 'recovering', 3, severity = 'ticket', 4, 5))) AS worst
FROM evaluations
WHERE model = {model:String} AND environment = {environment:String}
    AND ({watch:String} = '' OR watch = {watch:String})
    AND window_end > fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
    AND window_end <= fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
GROUP BY name, is_monitor
ORDER BY worst DESC, peak DESC, name
LIMIT 10000
