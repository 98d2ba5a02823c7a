-- Which outcomes a model has, and whether they tell only yes from no, by a sample of them.
SELECT name, toUInt8(1) AS is_number, toUInt64(count()) AS n, toUInt8(min(value IN (0, 1))) AS is_binary
FROM
(
    SELECT toString(outcome_name) AS name, value
    FROM (SELECT numbers FROM outcomes WHERE model = {model:String} LIMIT {rows:UInt32})
    ARRAY JOIN mapKeys(numbers) AS outcome_name, mapValues(numbers) AS value
)
GROUP BY name
UNION ALL
SELECT name, toUInt8(0) AS is_number, toUInt64(count()) AS n, toUInt8(min(lower(value) IN ('true', 'false'))) AS is_binary
FROM
(
    SELECT toString(outcome_name) AS name, toString(outcome) AS value
    FROM (SELECT categories FROM outcomes WHERE model = {model:String} LIMIT {rows:UInt32})
    ARRAY JOIN mapKeys(categories) AS outcome_name, mapValues(categories) AS outcome
)
GROUP BY name
ORDER BY name
