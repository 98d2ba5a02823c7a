-- How many stretches that share an instant with this one may have been corrected since.
SELECT count()
FROM late_stretches FINAL
WHERE model = {model:String}
    AND start < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC') AND end > fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
    AND (toUnixTimestamp64Milli(settled_at) = 0 OR settled_at >= fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC'))
