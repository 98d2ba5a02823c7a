-- When the newest event of a stretch was received, by the raw events and by the counts.
SELECT
    assumeNotNull((
        SELECT max(received_at) FROM predictions
        WHERE model = {model:String} AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
            AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    )) AS raw,
    assumeNotNull((
        SELECT max(last_received_at) FROM traffic_minutes
        WHERE model = {model:String} AND segment = '' AND minute >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
            AND minute < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    )) AS counted
