SELECT id, at, model, environment, kind, title, detail, actor, link
FROM changes FINAL
WHERE ({model:String} = '' OR model IN ('', {model:String}))
    AND ({kind:String} = '' OR kind = {kind:String})
    AND at >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND at < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
ORDER BY at DESC, id
LIMIT {most:UInt32}
