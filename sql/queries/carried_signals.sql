-- Signals that raw events of a stretch carry, with how many numbers and categories each has.
SELECT signal, toUInt64(sum(numbers_n)) AS numbers, toUInt64(sum(categories_n)) AS categories
FROM
(
    SELECT toString(name) AS signal, count() AS numbers_n, 0 AS categories_n
    FROM predictions ARRAY JOIN mapKeys(numbers) AS name
    WHERE model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    GROUP BY signal
    UNION ALL
    SELECT toString(name) AS signal, 0 AS numbers_n, count() AS categories_n
    FROM predictions ARRAY JOIN mapKeys(categories) AS name
    WHERE model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    GROUP BY signal
)
GROUP BY signal
ORDER BY signal
