-- How far numbers were from their outcomes, by step of the prediction's time and version.
SELECT
    at, version, toUInt64(count()) AS predictions, toUInt64(countIf(isFinite(error))) AS labelled,
    sumIf(error, isFinite(error)) AS total, sumIf(abs(error), isFinite(error)) AS absolute,
    sumIf(pow(error, 2), isFinite(error)) AS squares, sumIf(pow(error, 4), isFinite(error)) AS fourths,
    sumIf(abs(error / came), isFinite(error) AND came != 0) AS relative,
    sumIf(pow(error / came, 2), isFinite(error) AND came != 0) AS relative_squares,
    toUInt64(countIf(isFinite(error) AND came = 0)) AS zeros,
    sumIf(came, isFinite(error)) AS outcomes, sumIf(pow(came, 2), isFinite(error)) AS outcome_squares
FROM
(
    SELECT
        toInt64({start:Int64} + intDiv(toInt64(toUnixTimestamp(toDateTime(p.at, 'UTC'))) - {start:Int64}, {step_s:UInt32}) * {step_s:UInt32}) AS at,
        p.version AS version,
        if(mapContains(o.numbers, {outcome:String}), o.numbers[{outcome:String}], nan) AS came, p.number - came AS error
    FROM
    (
        SELECT
            id, toString(version) AS version, timestamp AS at, numbers[{prediction:String}] AS number
        FROM predictions
        WHERE model = {model:String} AND environment = {environment:String}
            AND timestamp >= toDateTime({start:Int64}, 'UTC') AND timestamp < toDateTime({end:Int64}, 'UTC')
            AND mapContains(numbers, {prediction:String})
    ) AS p
    LEFT JOIN
    (
        SELECT id, numbers
        FROM outcomes FINAL
        WHERE model = {model:String} AND timestamp >= toDateTime({start:Int64}, 'UTC')
    ) AS o ON p.id = o.id
)
GROUP BY at, version
ORDER BY at, version
