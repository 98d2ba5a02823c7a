SELECT toUInt64(count()) AS rows, max(evaluated_at) AS latest
FROM evaluations
WHERE evaluated_at > fromUnixTimestamp64Milli({after:Int64}, 'UTC')
