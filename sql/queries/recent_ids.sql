-- Which events were received lately, the latest first: what a starting collector must know to tell repeated ones.
SELECT toString(model) AS model, toString(version) AS version, toString(environment) AS environment, id
FROM predictions
WHERE received_at >= fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
ORDER BY received_at DESC
LIMIT {most:UInt32}
