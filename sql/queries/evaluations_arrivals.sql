-- What arrived after an instant, by the instant at which it was evaluated: rows of one such instant come together.
SELECT evaluated_at, toUInt64(count()) AS rows
FROM evaluations
WHERE evaluated_at > fromUnixTimestamp64Milli({after:Int64}, 'UTC')
GROUP BY evaluated_at
ORDER BY evaluated_at
