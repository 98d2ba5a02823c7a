-- Every attempt of the deliveries that a page shows: those that failed or are still tried first, then the latest.
SELECT
    delivery, attempt, incident, sequence, model, channel, kind, event, state, target, answer_code, answer, error,
    next_attempt_at, took_ms, at
FROM deliveries FINAL
WHERE delivery GLOBAL IN (
    SELECT delivery FROM deliveries
    WHERE ({incident:String} = '' OR incident = {incident:String})
        AND ({model:String} = '' OR model = {model:String})
        AND ({channel:String} = '' OR channel = {channel:String})
    GROUP BY delivery
    HAVING ({state:String} = '' OR argMax(state, (attempt, at)) = {state:String})
        AND max(at) >= fromUnixTimestamp64Milli({start:Int64}, 'UTC')
        AND min(at) < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    ORDER BY argMax(state, (attempt, at)) IN ('failed', 'retrying') DESC, max(at) DESC, delivery
    LIMIT {most:UInt32}
)
ORDER BY delivery, attempt
