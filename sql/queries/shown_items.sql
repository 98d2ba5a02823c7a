-- How often items were shown at the first places of lists, by step and version: how many items were shown so many times.
SELECT at, version, times, toUInt64(count()) AS items
FROM
(
    SELECT
        toInt64({start:Int64} + intDiv(toInt64(toUnixTimestamp(toDateTime(timestamp, 'UTC'))) - {start:Int64}, {step_s:UInt32}) * {step_s:UInt32}) AS at,
        toString(p.version) AS version,
        arrayJoin(arrayDistinct(arraySlice(lists[{prediction:String}], 1, {places:UInt32}))) AS item,
        toUInt64(count()) AS times
    FROM predictions AS p
    WHERE model = {model:String} AND environment = {environment:String}
        AND timestamp >= toDateTime({start:Int64}, 'UTC') AND timestamp < toDateTime({end:Int64}, 'UTC')
        AND mapContains(lists, {prediction:String})
    GROUP BY at, version, item
)
GROUP BY at, version, times
ORDER BY at, version, times
