SELECT id, at, model, environment, kind, title, detail, actor, link
FROM changes FINAL
WHERE at >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC') AND at < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
    AND ({model:String} = '' OR model = {model:String} OR model = '')
    AND ({kind:String} = '' OR kind = {kind:String})
ORDER BY at DESC, id
LIMIT {most:UInt32}
