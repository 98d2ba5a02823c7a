SELECT
    toString(model) AS model, toString(environment) AS environment, min(t.first_event) AS first_event,
    max(t.last_event) AS last_event
FROM traffic_hours AS t
WHERE segment = ''
GROUP BY model, environment
ORDER BY model, environment
