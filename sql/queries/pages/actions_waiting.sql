-- What was asked for and stands on no event yet: the alerter has not come to it.
SELECT id, incident, kind, actor, reason, until, payload, asked_at
FROM actions FINAL
WHERE asked_at > fromUnixTimestamp64Milli({after:Int64}, 'UTC')
    AND ({incident:String} = '' OR incident = {incident:String})
    AND id GLOBAL NOT IN (SELECT action FROM incident_events WHERE action != '')
ORDER BY asked_at, id
LIMIT 200
