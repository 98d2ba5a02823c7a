-- The worst verdict of each signal (or monitor) and stretch: 0 too little data, 1 on course, 2 suspect, 3 recovering,
-- 4 ticket, 5 page.
SELECT
    toString(if(signal = '', monitor, signal)) AS name, toString(e.watch) AS watch,
    toInt32(intDiv(toUnixTimestamp64Milli(window_end) - 1 - {start_ms:Int64}, {step_ms:Int64})) AS bucket,
    max(toUInt8(multiIf(verdict = 'too_little_data', 0, verdict = 'on_course', 1, verdict = 'suspect', 2,
        verdict = 'recovering', 3, severity = 'ticket', 4, 5))) AS worst
FROM evaluations AS e
WHERE model = {model:String} AND environment = {environment:String}
    AND ({watch:String} = '' OR e.watch = {watch:String})
    AND window_end > fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
    AND window_end <= fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
    AND name IN {names:Array(String)}
GROUP BY name, watch, bucket
ORDER BY name, watch, bucket
LIMIT 100000
