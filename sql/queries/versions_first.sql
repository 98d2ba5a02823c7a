-- When each version of a model was first heard of, over all that is kept, in that order.
SELECT toString(t.version) AS version, min(t.first_event) AS first_event
FROM traffic_hours AS t
WHERE model = {model:String} AND environment = {environment:String} AND segment = ''
GROUP BY version
HAVING sum(t.events) > 0
ORDER BY first_event, version
LIMIT 10000
