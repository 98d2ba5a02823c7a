-- Models with events since an instant, and when they were first received.
SELECT toString(model) AS model, min(p.received_at) AS first_received_at
FROM predictions AS p
WHERE timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
GROUP BY model
ORDER BY model
