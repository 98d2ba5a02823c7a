-- The latest events that broke a rule about a signal: `amount.range` is one about `feature.amount`, and one without a dot
-- about no signal. Only the latest of those that broke one are looked for among the events, of which their times and ids tell
-- where they are.
SELECT
    id, timestamp, version, numbers, categories
FROM predictions
WHERE model = {model:String} AND environment = {environment:String}
    AND timestamp >= fromUnixTimestamp64Milli({start:Int64}, 'UTC')
    AND timestamp < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND ({feature:String} = '' OR categories[{feature:String}] = {value:String})
    AND ({tag:String} = '' OR tags[{tag:String}] = {value:String})
    AND (timestamp, id) GLOBAL IN
    (
        SELECT timestamp, id
        FROM broken_rules
        WHERE model = {model:String} AND environment = {environment:String}
            AND timestamp >= fromUnixTimestamp64Milli({start:Int64}, 'UTC')
            AND timestamp < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
            AND arrayExists(
                named -> named = {signal:String} OR concat('feature.', named) = {signal:String},
                arrayMap(
                    rule -> substring(rule, 1, greatest(length(rule) - position(reverse(concat('.', rule)), '.'), 0)),
                    arrayFilter(rule -> rule != '?', rules)))
        ORDER BY model DESC, environment DESC, timestamp DESC
        LIMIT {candidates:UInt32}
    )
ORDER BY model DESC, environment DESC, timestamp DESC
LIMIT {most:UInt32}
