-- What the stored traffic by the hour lacks, against that by the minute: one row an hour.
SELECT version, environment, segment, hour, sum(part.change) AS events, sum(part.failed) AS errors,
    min(part.earliest) AS earliest, max(part.latest) AS latest, max(part.lag) AS lag, max(part.received) AS received
FROM
(
    SELECT version, environment, toString(segment) AS segment, toStartOfHour(minute, 'UTC') AS hour,
        t.events AS change, t.errors AS failed, t.first_event AS earliest, t.last_event AS latest,
        t.largest_lag_ms AS lag, t.last_received_at AS received
    FROM traffic_minutes AS t
    WHERE model = {model:String} AND minute >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND minute < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND (segment = '' ? {whole:UInt8} = 1 : has({dimensions:Array(String)}, splitByChar('=', toString(segment))[1]))
    UNION ALL
    SELECT version, environment, toString(segment) AS segment, hour, -t.events AS change, -t.errors AS failed,
        t.first_event AS earliest, t.last_event AS latest, t.largest_lag_ms AS lag, t.last_received_at AS received
    FROM traffic_hours AS t
    WHERE model = {model:String} AND hour >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND hour < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND (segment = '' ? {whole:UInt8} = 1 : has({dimensions:Array(String)}, splitByChar('=', toString(segment))[1]))
) AS part
GROUP BY version, environment, segment, hour
HAVING events != 0 OR errors != 0
