-- What the stored counts of a stretch of event time lack (n > 0) or have too much (n < 0), against the raw events: one
-- row a bin. With `stored` 0 stored counts are not looked at and everything is lacking.
-- Missing is what remains: the events of a segment less those that carry the signal. Stored counts of segments that are
-- not asked for are left alone.
WITH
    events AS
    (
        SELECT
            version, environment, numbers, categories, tags, toStartOfMinute(timestamp, 'UTC') AS minute,
            arrayConcat(
                if({whole:UInt8} = 1, [''], []),
                arrayMap(
                    (dimension, named, levels) -> concat(dimension, '=', multiIf(
                        startsWith(named, 'tag.'),
                        if(mapContains(tags, substring(named, 5)),
                            if(has(levels, tags[substring(named, 5)]), tags[substring(named, 5)], 'other'),
                            'missing'),
                        mapContains(categories, named),
                        if(has(levels, toString(categories[named])), toString(categories[named]), 'other'),
                        mapContains(numbers, named), 'other',
                        'missing')),
                    {dimensions:Array(String)}, {dimension_signals:Array(String)},
                    {dimension_levels:Array(Array(String))})) AS segments
        FROM predictions
        WHERE model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
            AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
            AND received_at < fromUnixTimestamp64Milli({received_before_ms:Int64}, 'UTC')
            AND NOT arrayExists(
                (since, until) -> toUnixTimestamp64Milli(received_at) >= since AND toUnixTimestamp64Milli(received_at) < until,
                {unvalued_since:Array(Int64)}, {unvalued_until:Array(Int64)})
    ),
    numbers_carried AS
    (
        SELECT version, environment, minute, segments, toString(name) AS signal,
            transform(signal, {signals:Array(String)}, {grids:Array(UInt32)}, toUInt32(0)) AS grid,
            if(has({numeric:Array(String)}, signal) AND isFinite(value),
                dictGet('grid_ranges', 'bin', toUInt64(cityHash64({model:String}, signal, grid)), value),
                toUInt16(1)) AS found,
            toInt64(count()) AS n
        FROM events ARRAY JOIN mapKeys(numbers) AS name, mapValues(numbers) AS value
        WHERE name IN {signals:Array(String)}
        GROUP BY version, environment, minute, segments, signal, grid, found
    ),
    categories_carried AS
    (
        SELECT version, environment, minute, segments, name AS signal,
            transform(signal, {signals:Array(String)}, {grids:Array(UInt32)}, toUInt32(0)) AS grid,
            if(has({numeric:Array(String)}, signal),
                toUInt16(1),
                dictGet('grid_levels', 'bin', (toUInt64(cityHash64({model:String}, signal, grid)), value))) AS found,
            toInt64(count()) AS n
        FROM events
        ARRAY JOIN
            arrayConcat(
                CAST(mapKeys(categories), 'Array(String)'),
                arrayMap(tag -> concat('tag.', tag), CAST(mapKeys(tags), 'Array(String)'))) AS name,
            arrayConcat(CAST(mapValues(categories), 'Array(String)'), mapValues(tags)) AS value
        WHERE name IN {signals:Array(String)}
        GROUP BY version, environment, minute, segments, signal, grid, found
    )
SELECT version, environment, grid, segment, signal, minute, bin, sum(change) AS n
FROM
(
    SELECT version, environment, grid, segment, signal, minute, part.1 AS bin, part.2 AS change
    FROM (SELECT * FROM numbers_carried UNION ALL SELECT * FROM categories_carried)
    ARRAY JOIN segments AS segment
    ARRAY JOIN [(found, n), (toUInt16(0), -n)] AS part
    UNION ALL
    SELECT version, environment, counted.2 AS grid, segment, counted.1 AS signal, minute, toUInt16(0) AS bin, events AS change
    FROM
    (
        SELECT version, environment, segment, minute, toInt64(count()) AS events
        FROM events ARRAY JOIN segments AS segment
        GROUP BY version, environment, segment, minute
    )
    ARRAY JOIN arrayZip({signals:Array(String)}, {grids:Array(UInt32)}) AS counted
    UNION ALL
    SELECT version, environment, grid, toString(segment) AS segment, toString(signal) AS signal, minute, bin, -n AS change
    FROM signal_minutes
    WHERE {stored:UInt8} = 1 AND model = {model:String}
        AND minute >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND minute < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND has(arrayZip({signals:Array(String)}, {grids:Array(UInt32)}), (toString(signal), grid))
        AND (segment = '' ? {whole:UInt8} = 1 : has({dimensions:Array(String)}, splitByChar('=', toString(segment))[1]))
)
GROUP BY version, environment, grid, segment, signal, minute, bin
HAVING n != 0
