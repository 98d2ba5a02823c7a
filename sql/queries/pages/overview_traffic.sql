SELECT
    toString(model) AS name, toString(t.environment) AS environment,
    toUInt32(intDiv(toInt64(toUnixTimestamp({time:Identifier})) - {start:Int64}, {step_s:Int64})) AS bucket,
    toInt64(sum(t.events)) AS events, toInt64(sum(t.errors)) AS errors
FROM {table:Identifier} AS t
WHERE segment = '' AND {time:Identifier} >= toDateTime({start:Int64}, 'UTC') AND {time:Identifier} < toDateTime({end:Int64}, 'UTC')
GROUP BY name, environment, bucket
ORDER BY name, environment, bucket
LIMIT 200000
