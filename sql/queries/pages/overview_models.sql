SELECT
    toString(model) AS name, toString(t.environment) AS environment, max(t.last_event) AS last_event,
    max(t.last_received_at) AS last_received_at, toInt64(sum(t.events)) AS events
FROM traffic_hours AS t
WHERE segment = '' AND hour >= toDateTime({since:Int64}, 'UTC')
GROUP BY name, environment
HAVING events > 0
ORDER BY name, environment
LIMIT 5000
