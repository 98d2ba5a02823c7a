SELECT
    toString(t.version) AS version, min(t.first_event) AS first_event, max(t.last_event) AS last_event,
    toUInt64(sum(t.events)) AS events, toUInt64(sum(t.errors)) AS errors
FROM traffic_hours AS t
WHERE model = {model:String} AND environment = {environment:String} AND segment = ''
    AND hour >= toDateTime({start:Int64}, 'UTC') AND hour < toDateTime({end:Int64}, 'UTC')
GROUP BY version
HAVING events > 0
ORDER BY last_event DESC
LIMIT 50
