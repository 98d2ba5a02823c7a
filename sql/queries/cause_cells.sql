-- What a measure is in each value of some dimensions, and in each pair of values, before and now. The measure is a
-- number, or one or zero for events that show something; one event in so many is looked at.
SELECT
    is_now, first, if(first = 0, '', of_event[first]) AS first_value, second,
    if(second = 0, '', of_event[second]) AS second_value, toUInt64(count()) AS n, sum(c.measured) AS total,
    sum(c.measured * c.measured) AS squares
FROM
(
    SELECT
        toUInt8(environment = {environment:String}
            AND timestamp >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
            AND timestamp < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
            AND (empty({only_now:Array(String)}) OR has({only_now:Array(String)}, toString(version)))
            AND NOT has({but_now:Array(String)}, toString(version))) AS is_now,
        multiIf(
            {kind:String} = 'number', if(mapContains(numbers, {signal:String}), numbers[{signal:String}], nan),
            {kind:String} = 'missing',
                toFloat64(NOT mapContains(numbers, {signal:String}) AND NOT mapContains(categories, {signal:String})),
            {kind:String} = 'invalid',
                toFloat64(mapContains(numbers, {signal:String}) AND NOT isFinite(numbers[{signal:String}])),
            {kind:String} = 'beyond',
                toFloat64(mapContains(numbers, {signal:String}) AND numbers[{signal:String}] > toFloat64({limit:String})),
            {kind:String} = 'category', toFloat64(toString(categories[{signal:String}]) = {limit:String}),
            toFloat64(error != '')) AS measured,
        arrayMap(
            dimension -> multiIf(
                dimension = 'version', toString(version),
                startsWith(dimension, 'tag.'), tags[substring(dimension, 5)],
                toString(categories[dimension])),
            {dimensions:Array(String)}) AS of_event
    FROM predictions
    WHERE model = {model:String} AND environment IN ({environment:String}, {environment_before:String})
        AND ((is_now = 1 AND cityHash64(id) % {every_now:UInt64} = 0)
            OR (is_now = 0 AND environment = {environment_before:String}
                AND timestamp >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
                AND timestamp < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
                AND (empty({only_before:Array(String)}) OR has({only_before:Array(String)}, toString(version)))
                AND NOT has({but_before:Array(String)}, toString(version))
                AND cityHash64(id) % {every_before:UInt64} = 0))
        AND timestamp >= fromUnixTimestamp64Milli(least({start_ms:Int64}, {from_ms:Int64}), 'UTC')
        AND timestamp < fromUnixTimestamp64Milli(greatest({end_ms:Int64}, {to_ms:Int64}), 'UTC')
) AS c
ARRAY JOIN {firsts:Array(UInt8)} AS first, {seconds:Array(UInt8)} AS second
WHERE isFinite(c.measured)
GROUP BY is_now, first, first_value, second, second_value
ORDER BY n DESC, first, first_value, second, second_value
LIMIT 50000
