-- How many deliveries of a stretch of time stand how, by channel.
SELECT channel, kind, state, count() AS deliveries
FROM (
    SELECT
        delivery, any(d.channel) AS channel, any(d.kind) AS kind, argMax(d.state, (d.attempt, d.at)) AS state
    FROM deliveries AS d
    WHERE {model:String} = '' OR d.model = {model:String}
    GROUP BY delivery
    HAVING max(d.at) >= fromUnixTimestamp64Milli({start:Int64}, 'UTC')
        AND min(d.at) < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
)
GROUP BY channel, kind, state
ORDER BY channel, kind, state
