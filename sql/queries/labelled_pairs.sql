-- Predicted classes with what came of them, by step of the prediction's time and version: how many there are of each pair.
-- Of what has not come, `is_known` is 0. Pairs beyond the most frequent of a step are told together, without their names.
SELECT
    at, version, if(is_rest = 1, '', predicted) AS told, if(is_rest = 1, '', truth) AS came, is_rest, is_known, is_right,
    toUInt64(sum(n)) AS predictions
FROM
(
    SELECT
        at, version, predicted, truth, is_known, n, toUInt8(is_known = 1 AND predicted = truth) AS is_right,
        toUInt8(row_number() OVER (PARTITION BY at, version ORDER BY n DESC, predicted, truth) > {most:UInt32}) AS is_rest
    FROM
    (
        SELECT
            toInt64({start:Int64} + intDiv(toInt64(toUnixTimestamp(toDateTime(p.at, 'UTC'))) - {start:Int64}, {step_s:UInt32}) * {step_s:UInt32}) AS at,
            p.version AS version, p.predicted AS predicted,
            toUInt8(mapContains(o.categories, {outcome:String})) AS is_known,
            toString(o.categories[{outcome:String}]) AS truth, count() AS n
        FROM
        (
            SELECT id, toString(version) AS version, timestamp AS at, toString(categories[{prediction:String}]) AS predicted
            FROM predictions
            WHERE model = {model:String} AND environment = {environment:String}
                AND timestamp >= toDateTime({start:Int64}, 'UTC') AND timestamp < toDateTime({end:Int64}, 'UTC')
                AND mapContains(categories, {prediction:String})
        ) AS p
        LEFT JOIN
        (
            SELECT id, categories
            FROM outcomes FINAL
            WHERE model = {model:String} AND timestamp >= toDateTime({start:Int64}, 'UTC')
        ) AS o ON p.id = o.id
        GROUP BY at, version, predicted, is_known, truth
    )
)
GROUP BY at, version, told, came, is_rest, is_known, is_right
ORDER BY at, version, predictions DESC, told, came
