-- Ranked lists by what became of them: how many lists of each step and version had which relevances at their first
-- places, then (descending) those of what was wanted and not shown there. What was wanted is one category, or numbers
-- named by item ("outcome.chosen.B7").
SELECT at, version, relevances, toUInt8(is_known) AS is_labelled, toUInt64(count()) AS lists
FROM
(
    SELECT
        toInt64({start:Int64} + intDiv(toInt64(toUnixTimestamp(toDateTime(p.at, 'UTC'))) - {start:Int64}, {step_s:UInt32}) * {step_s:UInt32}) AS at,
        p.version AS version,
        arrayFilter((key, gain) -> startsWith(key, concat({outcome:String}, '.')), arrayMap(name -> toString(name), mapKeys(o.numbers)), mapValues(o.numbers)) AS named,
        arrayFilter(key -> key != concat({outcome:String}, '.length'), named) AS named_items,
        arrayConcat(
            arrayMap(key -> substring(key, length({outcome:String}) + 2), named_items),
            if(mapContains(o.categories, {outcome:String}), [toString(o.categories[{outcome:String}])], [])) AS wanted,
        arrayConcat(
            arrayMap(key -> greatest(ifNotFinite(o.numbers[key], 0.), 0.), named_items),
            if(mapContains(o.categories, {outcome:String}), [1.], [])) AS gains,
        notEmpty(named) OR mapContains(o.categories, {outcome:String}) AS is_known,
        arrayResize(
            arrayMap(item -> if(has(wanted, item), gains[indexOf(wanted, item)], 0.), p.shown), {places:UInt32}, 0.) AS at_places,
        arrayReverseSort(arrayFilter((gain, item) -> gain > 0 AND NOT has(p.shown, item), gains, wanted)) AS elsewhere,
        if(is_known, arrayConcat(at_places, elsewhere), []) AS relevances
    FROM
    (
        SELECT
            id, toString(version) AS version, timestamp AS at,
            arraySlice(lists[{prediction:String}], 1, {places:UInt32}) AS shown
        FROM predictions
        WHERE model = {model:String} AND environment = {environment:String}
            AND timestamp >= toDateTime({start:Int64}, 'UTC') AND timestamp < toDateTime({end:Int64}, 'UTC')
            AND mapContains(lists, {prediction:String})
    ) AS p
    LEFT JOIN
    (
        SELECT id, numbers, categories
        FROM outcomes FINAL
        WHERE model = {model:String} AND timestamp >= toDateTime({start:Int64}, 'UTC')
    ) AS o ON p.id = o.id
)
GROUP BY at, version, relevances, is_known
ORDER BY at, version, relevances
