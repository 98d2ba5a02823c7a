SELECT toString(model) AS name, toString(s.environment) AS environment, grid, bin, toInt64(sum(s.n)) AS n
FROM {table:Identifier} AS s
WHERE segment = '' AND signal = 'latency_ms' AND {time:Identifier} >= toDateTime({start:Int64}, 'UTC')
    AND {time:Identifier} < toDateTime({end:Int64}, 'UTC')
GROUP BY name, environment, grid, bin
HAVING n > 0
ORDER BY name, environment, grid, bin
LIMIT 200000
