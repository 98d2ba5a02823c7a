-- Events of a stretch, a bounded number that a hash of their ids picks: the same ids wherever both sides have them. Paired,
-- only those that the other side has, too.
SELECT id, numbers, categories, vectors
FROM
(
    SELECT
        id, mapApply((name, value) -> (toString(name), value), numbers) AS numbers,
        mapApply((name, value) -> (toString(name), toString(value)), categories) AS categories,
        mapApply((name, value) -> (toString(name), value), vectors) AS vectors
    FROM predictions
    WHERE model = {model:String} AND environment = {environment:String}
        AND timestamp >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
        AND timestamp < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
        AND ({version:String} = '' OR version = {version:String})
        AND (
            {paired:UInt8} = 0
            OR id IN
            (
                SELECT id FROM predictions
                WHERE model = {model:String} AND environment = {other_environment:String}
                    AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
                    AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
                    AND ({other_version:String} = '' OR version = {other_version:String})
            ))
)
ORDER BY cityHash64(id), id
LIMIT 1 BY id
LIMIT {most:UInt32}
