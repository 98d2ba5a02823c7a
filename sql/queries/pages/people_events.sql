-- What people and programs did about incidents, and what became of retrainings; without findings.
SELECT
    incident, sequence, kind, model, environment, cause, severity, at, recorded_at, since, actor, reason, title,
    '' AS findings, until, action
FROM incident_events FINAL
WHERE (actor != 'leeway' OR startsWith(kind, 'retraining'))
    AND ({model:String} = '' OR model = {model:String})
    AND at >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND at < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
ORDER BY at DESC, incident, sequence DESC
LIMIT {most:UInt32}
