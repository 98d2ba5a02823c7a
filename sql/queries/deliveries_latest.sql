-- How deliveries stand: the last attempt of each that was attempted after an instant, or of the one that is named.
SELECT
    delivery, attempt, incident, sequence, model, channel, kind, event, state, target, answer_code, answer, error,
    next_attempt_at, took_ms, at
FROM deliveries FINAL
WHERE at > fromUnixTimestamp64Milli({after:Int64}, 'UTC')
    AND ({delivery:String} = '' OR delivery = {delivery:String})
ORDER BY delivery, attempt DESC
LIMIT 1 BY delivery
