-- When a model's acknowledged incidents were, unless somebody marked them as false: such windows were not healthy. An
-- incident that is still open has no end, which is told as 0.
SELECT toUnixTimestamp64Milli(min(e.since)) AS since, toUnixTimestamp64Milli(maxIf(e.at, e.kind = 'resolved')) AS until
FROM incident_events AS e FINAL
WHERE model = {model:String} AND environment = {environment:String}
GROUP BY incident
HAVING countIf(e.kind = 'acknowledged') > 0 AND countIf(e.kind = 'marked_false') = 0
ORDER BY since
