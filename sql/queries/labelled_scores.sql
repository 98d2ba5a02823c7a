-- Scores with a yes or no: how many of each by step of the prediction's time, version, group and score, to about three
-- digits. Groups are the values of a dimension: a category among the features, or a tag; none where none is named.
SELECT
    at, version, part, avg(score) AS mean_score, toUInt64(count()) AS predictions, toUInt64(countIf(truth = 0)) AS negatives,
    toUInt64(countIf(truth = 1)) AS positives, sumIf(pow(score - truth, 2), truth IN (0, 1)) AS squares,
    sumIf(pow(score - truth, 4), truth IN (0, 1)) AS fourths
FROM
(
    SELECT
        toInt64({start:Int64} + intDiv(toInt64(toUnixTimestamp(toDateTime(p.at, 'UTC'))) - {start:Int64}, {step_s:UInt32}) * {step_s:UInt32}) AS at,
        p.version AS version, p.part AS part, p.score AS score,
        bitShiftRight(reinterpretAsUInt32(toFloat32(p.score)), 13) AS rounded,
        multiIf(
            mapContains(o.numbers, {outcome:String}), o.numbers[{outcome:String}],
            lower(toString(o.categories[{outcome:String}])) = 'true', 1.,
            lower(toString(o.categories[{outcome:String}])) = 'false', 0.,
            nan) AS truth
    FROM
    (
        SELECT
            id, toString(version) AS version, timestamp AS at, numbers[{prediction:String}] AS score,
            multiIf(
                {dimension:String} = '', '',
                startsWith({dimension:String}, 'tag.'), tags[substring({dimension:String}, 5)],
                toString(categories[concat('feature.', {dimension:String})])) AS part
        FROM predictions
        WHERE model = {model:String} AND environment = {environment:String}
            AND timestamp >= toDateTime({start:Int64}, 'UTC') AND timestamp < toDateTime({end:Int64}, 'UTC')
            AND mapContains(numbers, {prediction:String}) AND isFinite(numbers[{prediction:String}])
    ) AS p
    LEFT JOIN
    (
        SELECT id, numbers, categories
        FROM outcomes FINAL
        WHERE model = {model:String} AND timestamp >= toDateTime({start:Int64}, 'UTC')
    ) AS o ON p.id = o.id
)
GROUP BY at, version, part, rounded
ORDER BY at, version, part, mean_score
