-- What kinds of values a sample of a stretch's events carries, by signal; the signal '' stands for the events themselves:
-- how many there are, how many different ids they have, and how many carry all of some features. Events are looked at in short
-- slices of time, so that one that came again soon is looked at twice and only the slices' own values are read.
WITH sampled AS
(
    SELECT id, numbers, categories
    FROM predictions
    WHERE model = {model:String} AND environment = {environment:String}
        AND timestamp >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
        AND timestamp < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
        AND (toUnixTimestamp64Milli(timestamp) - {start_ms:Int64}) % {period_ms:UInt64} < {slice_ms:UInt64}
)
SELECT
    signal, toUInt64(count()) AS n, toUInt64(countIf(kind = 'integer')) AS integers,
    toUInt64(countIf(kind = 'fraction')) AS fractions, toUInt64(countIf(kind = 'unusable')) AS unusable,
    toUInt64(countIf(kind = 'number in a text')) AS number_texts, toUInt64(countIf(kind = 'yes or no')) AS booleans,
    toUInt64(countIf(kind = 'date')) AS dates, toUInt64(countIf(kind = 'text')) AS texts,
    toUInt64(uniqExact(value_hash)) AS distinct_values
FROM
(
    SELECT toString(name) AS signal, cityHash64(value) AS value_hash,
        multiIf(NOT isFinite(value), 'unusable', value = trunc(value), 'integer', 'fraction') AS kind
    FROM sampled ARRAY JOIN mapKeys(numbers) AS name, mapValues(numbers) AS value
    UNION ALL
    SELECT toString(name) AS signal, cityHash64(value) AS value_hash,
        multiIf(
            toFloat64OrNull(value) IS NOT NULL, 'number in a text', lower(value) IN ('true', 'false'), 'yes or no',
            match(value, '^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'), 'date', 'text') AS kind
    FROM sampled
    ARRAY JOIN CAST(mapKeys(categories), 'Array(String)') AS name, CAST(mapValues(categories), 'Array(String)') AS value
    UNION ALL
    SELECT '' AS signal, cityHash64(id) AS value_hash,
        if(arrayAll(
            feature -> mapContains(numbers, feature) OR mapContains(categories, feature),
            {features:Array(String)}), 'integer', 'text') AS kind
    FROM sampled
)
GROUP BY signal
ORDER BY signal
