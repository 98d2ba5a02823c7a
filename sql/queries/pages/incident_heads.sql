-- The events of the incidents that a list shows, without their findings: a line needs the title alone. Open ones come
-- first into the list, then the latest.
SELECT
    incident, sequence, kind, model, environment, cause, severity, at, recorded_at, since, actor, reason, title,
    '' AS findings, until, action
FROM incident_events FINAL
WHERE incident GLOBAL IN (
    SELECT incident FROM incident_events
    WHERE {model:String} = '' OR model = {model:String}
    GROUP BY incident
    HAVING ({severity:String} = '' OR if(countIf(severity = 'page') > 0, 'page', 'ticket') = {severity:String})
        AND ({state:String} = '' OR if(countIf(kind = 'resolved') = 0, 'open', 'resolved') = {state:String})
        AND min(since) < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
        AND (countIf(kind = 'resolved') = 0 OR max(at) >= fromUnixTimestamp64Milli({start:Int64}, 'UTC'))
    ORDER BY countIf(kind = 'resolved') = 0 DESC, min(at) DESC, incident
    LIMIT {most:UInt32}
)
ORDER BY incident, sequence
