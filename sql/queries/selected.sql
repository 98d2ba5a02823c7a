-- How many predictions a score makes a yes, by the values of a dimension (a category among the features, or a tag), whatever
-- came of them; and between which values the scores lie.
SELECT
    part, toUInt64(count()) AS predictions, toUInt64(countIf(score >= {threshold:Float64})) AS selected,
    min(score) AS least, max(score) AS greatest
FROM
(
    SELECT
        numbers[{prediction:String}] AS score,
        if(startsWith({dimension:String}, 'tag.'),
            tags[substring({dimension:String}, 5)],
            toString(categories[concat('feature.', {dimension:String})])) AS part
    FROM predictions
    WHERE model = {model:String} AND environment = {environment:String}
        AND timestamp >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
        AND timestamp < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
        AND mapContains(numbers, {prediction:String}) AND isFinite(numbers[{prediction:String}])
        AND (empty({versions:Array(String)}) OR has({versions:Array(String)}, toString(version)))
        AND NOT has({other_versions:Array(String)}, toString(version))
)
GROUP BY part
ORDER BY predictions DESC, part
LIMIT 10000
