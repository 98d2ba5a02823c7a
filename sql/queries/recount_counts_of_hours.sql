-- What the stored counts by the hour lack (n > 0) or have too much (n < 0), against those by the minute: one row a bin.
SELECT version, environment, grid, segment, signal, hour, bin, sum(change) AS n
FROM
(
    SELECT version, environment, grid, toString(segment) AS segment, toString(signal) AS signal,
        toStartOfHour(minute, 'UTC') AS hour, bin, n AS change
    FROM signal_minutes
    WHERE model = {model:String} AND minute >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND minute < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND has(arrayZip({signals:Array(String)}, {grids:Array(UInt32)}), (toString(signal), grid))
        AND (segment = '' ? {whole:UInt8} = 1 : has({dimensions:Array(String)}, splitByChar('=', toString(segment))[1]))
    UNION ALL
    SELECT version, environment, grid, toString(segment) AS segment, toString(signal) AS signal, hour, bin, -n AS change
    FROM signal_hours
    WHERE model = {model:String} AND hour >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
        AND hour < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND has(arrayZip({signals:Array(String)}, {grids:Array(UInt32)}), (toString(signal), grid))
        AND (segment = '' ? {whole:UInt8} = 1 : has({dimensions:Array(String)}, splitByChar('=', toString(segment))[1]))
)
GROUP BY version, environment, grid, segment, signal, hour, bin
HAVING n != 0
