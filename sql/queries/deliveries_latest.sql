SELECT
    delivery, attempt, incident, sequence, model, channel, kind, event, state, target, answer_code, answer, error,
    next_attempt_at, took_ms, at
FROM deliveries FINAL
WHERE at > fromUnixTimestamp64Milli({after:Int64}, 'UTC')
ORDER BY delivery, attempt DESC
LIMIT 1 BY delivery
