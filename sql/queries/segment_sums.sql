-- What the events of a segment carry that nobody watches, by signal and bin: how many, and of numbers their sums and
-- extremes. The signal '' stands for the events themselves. An event is of the segment where every category or tag that is
-- named has the value beside it.
WITH
    events AS
    (
        SELECT numbers, categories, tags
        FROM predictions
        WHERE model = {model:String} AND environment = {environment:String}
            AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
            AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
            AND ({version:String} = '' OR version = {version:String})
            AND arrayAll(
                (named, value) -> value = if(startsWith(named, 'tag.'), tags[substring(named, 5)], toString(categories[named])),
                {named:Array(String)}, {values:Array(String)})
    )
SELECT signal, bin, n, total, squares, lowest, highest
FROM
(
    SELECT toString(name) AS signal,
        if(has({numeric:Array(String)}, signal) AND isFinite(value),
            dictGet('grid_ranges', 'bin', toUInt64(cityHash64(
                {model:String}, signal, transform(signal, {signals:Array(String)}, {grids:Array(UInt32)}, toUInt32(0)))), value),
            toUInt16(1)) AS bin,
        toUInt64(count()) AS n, sumIf(value, isFinite(value)) AS total, sumIf(value * value, isFinite(value)) AS squares,
        minIf(value, isFinite(value)) AS lowest, maxIf(value, isFinite(value)) AS highest
    FROM events ARRAY JOIN mapKeys(numbers) AS name, mapValues(numbers) AS value
    WHERE name IN {signals:Array(String)}
    GROUP BY signal, bin
    UNION ALL
    SELECT name AS signal,
        if(has({numeric:Array(String)}, signal),
            toUInt16(1),
            dictGet('grid_levels', 'bin', (toUInt64(cityHash64(
                {model:String}, signal, transform(signal, {signals:Array(String)}, {grids:Array(UInt32)}, toUInt32(0)))), value))) AS bin,
        toUInt64(count()) AS n, 0. AS total, 0. AS squares, 0. AS lowest, 0. AS highest
    FROM events
    ARRAY JOIN
        arrayConcat(
            CAST(mapKeys(categories), 'Array(String)'),
            arrayMap(tag -> concat('tag.', tag), CAST(mapKeys(tags), 'Array(String)'))) AS name,
        arrayConcat(CAST(mapValues(categories), 'Array(String)'), mapValues(tags)) AS value
    WHERE name IN {signals:Array(String)}
    GROUP BY signal, bin
    UNION ALL
    SELECT '' AS signal, toUInt16(0) AS bin, toUInt64(count()) AS n, 0. AS total, 0. AS squares, 0. AS lowest, 0. AS highest
    FROM events
)
ORDER BY signal, bin
