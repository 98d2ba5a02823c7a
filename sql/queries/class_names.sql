-- The numbers and the predicted classes that a sample of a model's latest predictions carries.
SELECT
    arraySort(groupUniqArrayArray(arrayMap(name -> toString(name), mapKeys(numbers)))) AS numbers,
    arraySort(groupUniqArray(1000)(toString(categories[{prediction:String}]))) AS classes
FROM
(
    SELECT numbers, categories
    FROM predictions
    WHERE model = {model:String} AND environment = {environment:String} AND mapContains(categories, {prediction:String})
    ORDER BY timestamp DESC
    LIMIT {rows:UInt32}
)
