-- What the stored traffic of a stretch of event time lacks, against the raw events: one row a minute.
WITH
    events AS
    (
        SELECT
            version, environment, numbers, categories, tags, timestamp, received_at, error,
            toStartOfMinute(timestamp, 'UTC') AS minute,
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
    )
SELECT version, environment, segment, minute, sum(part.change) AS events, sum(part.failed) AS errors,
    min(part.earliest) AS earliest, max(part.latest) AS latest, max(part.lag) AS lag, max(part.received) AS received
FROM
(
    SELECT version, environment, segment, minute, toInt64(count()) AS change, toInt64(countIf(error != '')) AS failed,
        min(timestamp) AS earliest, max(timestamp) AS latest,
        max(toUnixTimestamp64Milli(received_at) - toUnixTimestamp64Milli(timestamp)) AS lag, max(received_at) AS received
    FROM events ARRAY JOIN segments AS segment
    GROUP BY version, environment, segment, minute
    UNION ALL
    SELECT version, environment, toString(segment) AS segment, minute, -t.events AS change, -t.errors AS failed,
        t.first_event AS earliest, t.last_event AS latest, t.largest_lag_ms AS lag, t.last_received_at AS received
    FROM traffic_minutes AS t
    WHERE {stored:UInt8} = 1 AND model = {model:String}
        AND minute >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND minute < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND (segment = '' ? {whole:UInt8} = 1 : has({dimensions:Array(String)}, splitByChar('=', toString(segment))[1]))
) AS part
GROUP BY version, environment, segment, minute
HAVING events != 0 OR errors != 0
