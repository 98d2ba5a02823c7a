-- The last event of each kind of every open incident: all that its state needs.
SELECT
    incident, sequence, kind, model, environment, cause, severity, at, recorded_at, since, actor, reason, title,
    findings, until, action
FROM
(
    SELECT * FROM incident_events
    WHERE incident IN (SELECT incident FROM incident_events GROUP BY incident HAVING countIf(kind = 'resolved') = 0)
        AND ({model:String} = '' OR model = {model:String})
    ORDER BY incident, sequence DESC
    LIMIT 1 BY incident, kind
)
ORDER BY incident, sequence
LIMIT 10000
