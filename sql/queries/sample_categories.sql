-- The most frequent categories of some signals, tags among them, from which grids are made.
SELECT signal, value, toUInt64(count()) AS n, toUInt64(sum(n) OVER (PARTITION BY signal)) AS of_all
FROM
(
    SELECT
        arrayJoin(arrayConcat(
            arrayZip(CAST(mapKeys(categories), 'Array(String)'), CAST(mapValues(categories), 'Array(String)')),
            arrayZip(arrayMap(tag -> concat('tag.', tag), CAST(mapKeys(tags), 'Array(String)')), mapValues(tags))
        )) AS pair,
        pair.1 AS signal, pair.2 AS value
    FROM predictions
    WHERE model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
)
WHERE signal IN {signals:Array(String)}
GROUP BY signal, value
ORDER BY signal, n DESC, value
LIMIT 100 BY signal
