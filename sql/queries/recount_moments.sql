-- What the stored moments of a stretch of event time lack, against the raw events: one row a minute. Sums of numbers
-- depend on the order in the last digits; a difference below 1e-9 of what was added up is none. The extremes of minutes
-- that have events come along: a stored extreme can only be widened.
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
    carried AS
    (
        SELECT version, environment, minute, segments, toString(name) AS signal, toInt64(count()) AS n,
            sum(value) AS total, sum(value * value) AS squares, min(value) AS lowest, max(value) AS highest
        FROM events ARRAY JOIN mapKeys(numbers) AS name, mapValues(numbers) AS value
        WHERE isFinite(value)
        GROUP BY version, environment, minute, segments, signal
    )
SELECT version, environment, segment, signal, minute, sum(part.change) AS n, sum(part.total) AS total,
    sum(part.squares) AS squares, min(part.lowest) AS lowest, max(part.highest) AS highest
FROM
(
    SELECT version, environment, segment, signal, minute, n AS change, total, squares, lowest, highest
    FROM carried ARRAY JOIN segments AS segment
    UNION ALL
    SELECT version, environment, toString(segment) AS segment, toString(signal) AS signal, minute, -m.n AS change,
        -m.sum AS total, -m.sum_of_squares AS squares, inf AS lowest, -inf AS highest
    FROM signal_moments AS m
    WHERE {stored:UInt8} = 1 AND model = {model:String}
        AND minute >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND minute < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND (segment = '' ? {whole:UInt8} = 1 : has({dimensions:Array(String)}, splitByChar('=', toString(segment))[1]))
) AS part
GROUP BY version, environment, segment, signal, minute
HAVING n != 0 OR abs(total) > 1e-9 * sum(abs(part.total)) OR abs(squares) > 1e-9 * sum(abs(part.squares))
