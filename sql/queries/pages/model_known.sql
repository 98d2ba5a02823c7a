-- Whether anything is known of the model in this environment, and in which others.
SELECT toString(t.environment) AS environment, min(t.first_event) AS first_event, max(t.last_event) AS last_event,
    toUInt64(sum(t.events)) AS events
FROM traffic_hours AS t
WHERE model = {model:String} AND segment = ''
GROUP BY environment
ORDER BY environment
LIMIT 100
