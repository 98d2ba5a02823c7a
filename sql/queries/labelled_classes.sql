-- Predicted classes with the chance of each and what came ('' where it has not come): of each step a bounded number that a
-- hash of their ids picks, with how many there are.
SELECT at, version, predicted, chances, truth, predictions
FROM
(
    SELECT
        toInt64({start:Int64} + intDiv(toInt64(toUnixTimestamp(toDateTime(p.at, 'UTC'))) - {start:Int64}, {step_s:UInt32}) * {step_s:UInt32}) AS at,
        p.id AS id, p.version AS version, p.predicted AS predicted, p.chances AS chances,
        if(mapContains(o.categories, {outcome:String}), toString(o.categories[{outcome:String}]), '') AS truth,
        toUInt64(count() OVER (PARTITION BY at, version)) AS predictions
    FROM
    (
        SELECT
            id, toString(version) AS version, timestamp AS at, toString(categories[{prediction:String}]) AS predicted,
            arrayMap(name -> numbers[name], {chances:Array(String)}) AS chances
        FROM predictions
        WHERE model = {model:String} AND environment = {environment:String}
            AND timestamp >= toDateTime({start:Int64}, 'UTC') AND timestamp < toDateTime({end:Int64}, 'UTC')
            AND mapContains(categories, {prediction:String})
            AND arrayAll(name -> mapContains(numbers, name) AND isFinite(numbers[name]), {chances:Array(String)})
    ) AS p
    LEFT JOIN
    (
        SELECT id, categories
        FROM outcomes FINAL
        WHERE model = {model:String} AND timestamp >= toDateTime({start:Int64}, 'UTC')
    ) AS o ON p.id = o.id
)
ORDER BY at, cityHash64(id)
LIMIT {most:UInt32} BY at
