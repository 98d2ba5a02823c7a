-- What was stated as one version of a model's contract.
SELECT toString(model) AS model, version, contract, actor, toUnixTimestamp64Milli(written_at) AS written_at
FROM contracts
WHERE model = {model:String} AND version = {version:UInt32}
ORDER BY written_at
