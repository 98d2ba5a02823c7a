-- The lists that a sample of a model's latest predictions carries.
SELECT arraySort(groupUniqArrayArray(arrayMap(name -> toString(name), mapKeys(lists)))) AS names
FROM
(
    SELECT lists
    FROM predictions
    WHERE model = {model:String} AND environment = {environment:String}
    ORDER BY timestamp DESC
    LIMIT {rows:UInt32}
)
