-- How long outcomes took over the predictions of a stretch, of which one in so many is looked at: how many there are,
-- how many were ever labelled, the delay of half of those, and how many were labelled within a stated delay.
SELECT
    toUInt64(count()) AS predictions, toUInt64(countIf(delay_ms >= 0)) AS labelled,
    if(labelled > 0, quantileExactIf(0.5)(delay_ms, delay_ms >= 0), 0) AS median_ms,
    toUInt64(countIf(delay_ms >= 0 AND delay_ms <= {within_ms:Int64})) AS in_time
FROM
(
    SELECT if(o.id = '', -1, greatest(0, toUnixTimestamp64Milli(o.first_at) - toUnixTimestamp64Milli(p.timestamp))) AS delay_ms
    FROM
    (
        SELECT id, timestamp
        FROM predictions
        WHERE model = {model:String} AND environment = {environment:String}
            AND timestamp >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
            AND timestamp < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
            AND id != '' AND cityHash64(id) % {every:UInt64} = 0
    ) AS p
    LEFT JOIN
    (
        SELECT id, min(received_at) AS first_at
        FROM outcomes
        WHERE model = {model:String} AND received_at >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
            AND cityHash64(id) % {every:UInt64} = 0
        GROUP BY id
    ) AS o ON p.id = o.id
)
