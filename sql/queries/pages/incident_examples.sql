-- The latest events that show what an incident is about: in its segment, without the value, with one in a range, or such
-- that broke a rule about it (`amount.range` is one about `feature.amount`, and one without a dot about no signal).
SELECT
    id, timestamp, version, numbers, categories
FROM predictions
WHERE model = {model:String} AND environment = {environment:String}
    AND timestamp >= fromUnixTimestamp64Milli({start:Int64}, 'UTC')
    AND timestamp < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND ({feature:String} = '' OR categories[{feature:String}] = {value:String})
    AND ({tag:String} = '' OR tags[{tag:String}] = {value:String})
    AND multiIf(
        {shows:String} = 'missing', NOT mapContains(numbers, {signal:String}) AND NOT mapContains(categories, {signal:String}),
        {shows:String} = 'invalid', mapContains(numbers, {signal:String}) AND NOT isFinite(numbers[{signal:String}]),
        {shows:String} = 'number', mapContains(numbers, {signal:String})
            AND numbers[{signal:String}] > toFloat64({low:String}) AND numbers[{signal:String}] <= toFloat64({high:String}),
        {shows:String} = 'category', has({levels:Array(String)}, categories[{signal:String}]),
        {shows:String} = 'unseen', mapContains(categories, {signal:String})
            AND NOT has({levels:Array(String)}, categories[{signal:String}]),
        {shows:String} = 'error', error != '',
        {shows:String} = 'broken', arrayExists(
            named -> named = {signal:String} OR concat('feature.', named) = {signal:String},
            arrayMap(
                rule -> substring(rule, 1, greatest(length(rule) - position(reverse(concat('.', rule)), '.'), 0)),
                arrayFilter(rule -> rule != '?', rules))),
        1)
ORDER BY model DESC, environment DESC, timestamp DESC
LIMIT {most:UInt32}
