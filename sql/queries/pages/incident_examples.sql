-- The latest events that show what an incident is about: in its segment, without the value, or with one in a range.
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
        1)
ORDER BY model DESC, environment DESC, timestamp DESC
LIMIT {most:UInt32}
