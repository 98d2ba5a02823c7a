-- The latest contract of each model, or of one.
SELECT
    toString(model) AS model, max(c.version) AS version, argMax(c.contract, (c.version, c.written_at)) AS contract,
    argMax(c.actor, (c.version, c.written_at)) AS actor, max(c.written_at) AS written_at
FROM contracts AS c
WHERE {model:String} = '' OR model = {model:String}
GROUP BY model
ORDER BY model
