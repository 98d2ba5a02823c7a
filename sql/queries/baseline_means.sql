-- The mean value and the mean prediction of each bin over the raw events of a stretch. A bin's prediction is the mean
-- over its events that carry one; missing is what remains of the segment's events.
WITH
    events AS
    (
        SELECT
            numbers, categories, tags, mapContains(numbers, {prediction:String}) AND isFinite(numbers[{prediction:String}]) AS predicted,
            if(predicted, numbers[{prediction:String}], 0) AS prediction,
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
        WHERE model = {model:String} AND environment = {environment:String}
            AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
            AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
            AND ({version:String} = '' OR version = {version:String})
    ),
    carried AS
    (
        SELECT segments, toString(name) AS signal,
            transform(signal, {signals:Array(String)}, {grids:Array(UInt32)}, toUInt32(0)) AS grid,
            if(has({numeric:Array(String)}, signal) AND isFinite(value),
                dictGet('grid_ranges', 'bin', toUInt64(cityHash64({model:String}, signal, grid)), value),
                toUInt16(1)) AS found,
            sumIf(value, isFinite(value)) AS total, toInt64(countIf(isFinite(value))) AS finite,
            sum(prediction) AS predictions, toInt64(countIf(predicted)) AS predicted_n
        FROM events ARRAY JOIN mapKeys(numbers) AS name, mapValues(numbers) AS value
        WHERE name IN {signals:Array(String)}
        GROUP BY segments, signal, found
        UNION ALL
        SELECT segments, name AS signal,
            transform(signal, {signals:Array(String)}, {grids:Array(UInt32)}, toUInt32(0)) AS grid,
            if(has({numeric:Array(String)}, signal),
                toUInt16(1),
                dictGet('grid_levels', 'bin', (toUInt64(cityHash64({model:String}, signal, grid)), value))) AS found,
            0 AS total, toInt64(0) AS finite, sum(prediction) AS predictions, toInt64(countIf(predicted)) AS predicted_n
        FROM events
        ARRAY JOIN
            arrayConcat(
                CAST(mapKeys(categories), 'Array(String)'),
                arrayMap(tag -> concat('tag.', tag), CAST(mapKeys(tags), 'Array(String)'))) AS name,
            arrayConcat(CAST(mapValues(categories), 'Array(String)'), mapValues(tags)) AS value
        WHERE name IN {signals:Array(String)}
        GROUP BY segments, signal, found
    )
SELECT segment, signal, bin, if(sum(s.finite) > 0 AND bin > 2, sum(s.total) / sum(s.finite), NULL) AS mean,
    if(sum(s.predicted_n) > 0, sum(s.predictions) / sum(s.predicted_n), NULL) AS mean_prediction
FROM
(
    SELECT segment, signal, part.1 AS bin, part.2 * total AS total, part.2 * finite AS finite,
        part.2 * predictions AS predictions, part.2 * predicted_n AS predicted_n
    FROM carried ARRAY JOIN segments AS segment ARRAY JOIN [(found, 1), (toUInt16(0), -1)] AS part
    UNION ALL
    SELECT segment, signal, toUInt16(0) AS bin, 0 AS total, toInt64(0) AS finite, predictions, predicted_n
    FROM
    (
        SELECT segment, sum(prediction) AS predictions, toInt64(countIf(predicted)) AS predicted_n
        FROM events ARRAY JOIN segments AS segment
        GROUP BY segment
    )
    ARRAY JOIN {signals:Array(String)} AS signal
) AS s
GROUP BY segment, signal, bin
ORDER BY segment, signal, bin
