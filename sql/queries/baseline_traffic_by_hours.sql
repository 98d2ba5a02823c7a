-- How many events a stretch has, of all versions or of one, and the minutes between which they lie.
SELECT toInt64(sum(t.events)) AS events, min(t.first_event) AS first_event, max(t.last_event) AS last_event
FROM traffic_hours AS t
WHERE model = {model:String} AND environment = {environment:String} AND segment = ''
    AND hour >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND hour < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND ({version:String} = '' OR version = {version:String})
