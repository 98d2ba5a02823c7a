-- How many rows a table holds of a batch, known by the tokens of its inserts, of one model at one instant.
SELECT toUInt64(count())
FROM {table:Identifier}
WHERE model = {model:String} AND {time:Identifier} = fromUnixTimestamp64Milli({at_ms:Int64}, 'UTC')
    AND batch IN (SELECT sipHash64(arrayJoin({tokens:Array(String)})))
