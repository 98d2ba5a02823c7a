-- Counts raw events by grids and writes what the stored counts lack: one row a bin. With `stored` zero nothing of it is
-- stored yet and all of it is written; else stored counts are taken away first, so that what is right writes nothing.
-- Missing is what remains: the events of a segment less those that carry the signal.
INSERT INTO {target:Identifier}
WITH
    events AS
    (
        SELECT
            version, environment, numbers, categories, tags,
            toDateTime(toStartOfInterval(timestamp, toIntervalSecond({step_s:UInt32}), 'UTC'), 'UTC') AS at,
            arrayMap(
                (dimension, named, levels) -> concat(dimension, '=', multiIf(
                    startsWith(named, 'tag.') AND mapContains(tags, substring(named, 5)),
                    if(has(levels, tags[substring(named, 5)]), tags[substring(named, 5)], 'other'),
                    mapContains(categories, named),
                    if(has(levels, toString(categories[named])), toString(categories[named]), 'other'),
                    mapContains(numbers, named), 'other',
                    'missing')),
                {dimensions:Array(String)}, {dimension_signals:Array(String)},
                {dimension_levels:Array(Array(String))}
            ) AS watched,
            if({whole:UInt8} = 1, arrayPushFront(watched, ''), watched) AS segments
        FROM predictions
        WHERE model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
            AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
            AND received_at < fromUnixTimestamp64Milli({received_before_ms:Int64}, 'UTC')
    ),
    carried AS
    (
        SELECT version, environment, at, segments, toString(name) AS signal,
            transform(signal, {signals:Array(String)}, {grids:Array(UInt32)}, toUInt32(0)) AS grid,
            if(has({numeric:Array(String)}, signal) AND isFinite(value),
                dictGet('grid_ranges', 'bin', cityHash64({model:String}, signal, grid), value),
                toUInt16(1)) AS found,
            toInt64(count()) AS n
        FROM events ARRAY JOIN mapKeys(numbers) AS name, mapValues(numbers) AS value
        WHERE has({signals:Array(String)}, name)
        GROUP BY version, environment, at, segments, signal, grid, found
        UNION ALL
        SELECT version, environment, at, segments, name AS signal,
            transform(signal, {signals:Array(String)}, {grids:Array(UInt32)}, toUInt32(0)) AS grid,
            if(has({numeric:Array(String)}, signal),
                toUInt16(1),
                dictGet('grid_levels', 'bin', (cityHash64({model:String}, signal, grid), value))) AS found,
            toInt64(count()) AS n
        FROM events
        ARRAY JOIN
            arrayConcat(CAST(mapKeys(categories), 'Array(String)'), arrayMap(tag -> concat('tag.', tag), CAST(mapKeys(tags), 'Array(String)'))) AS name,
            arrayConcat(CAST(mapValues(categories), 'Array(String)'), mapValues(tags)) AS value
        WHERE has({signals:Array(String)}, name)
        GROUP BY version, environment, at, segments, signal, grid, found
    )
SELECT {model:String} AS model, version, environment, grid, segment, signal, at, bin, sum(change) AS n
FROM
(
    SELECT version, environment, grid, segment, signal, at, part.1 AS bin, part.2 AS change
    FROM carried ARRAY JOIN segments AS segment ARRAY JOIN [(found, n), (toUInt16(0), -n)] AS part
    UNION ALL
    SELECT version, environment, counted.2 AS grid, segment, counted.1 AS signal, at, toUInt16(0) AS bin,
        toInt64(count()) AS change
    FROM events
    ARRAY JOIN segments AS segment
    ARRAY JOIN arrayZip({signals:Array(String)}, {grids:Array(UInt32)}) AS counted
    GROUP BY version, environment, grid, segment, signal, at
    UNION ALL
    SELECT version, environment, grid, segment, signal, {time:Identifier} AS at, bin, -n AS change
    FROM {target:Identifier}
    WHERE {stored:UInt8} = 1 AND model = {model:String}
        AND {time:Identifier} >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND {time:Identifier} < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND has(arrayZip({signals:Array(String)}, {grids:Array(UInt32)}), (toString(signal), grid))
)
GROUP BY version, environment, grid, segment, signal, at, bin
HAVING n != 0
ORDER BY version, environment, grid, segment, signal, at, bin
