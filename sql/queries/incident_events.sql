-- Every event of every incident, or of one: each incident's together, in order.
SELECT
    incident, sequence, kind, model, environment, cause, severity, at, recorded_at, since, actor, reason, title,
    findings, until, action
FROM incident_events FINAL
WHERE {incident:String} = '' OR incident = {incident:String}
ORDER BY incident, sequence
