-- What was asked for after an instant, earliest first.
SELECT id, incident, kind, actor, reason, until, payload, asked_at
FROM actions FINAL
WHERE asked_at > fromUnixTimestamp64Milli({after:Int64}, 'UTC')
ORDER BY asked_at, id
