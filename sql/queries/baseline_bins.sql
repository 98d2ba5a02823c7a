SELECT model, environment, name, created_at, segment, signal, grid, bin, n, mean, mean_prediction
FROM baseline_bins FINAL
WHERE model = {model:String} AND environment = {environment:String} AND name = {name:String}
    AND created_at = fromUnixTimestamp64Milli({created_at:Int64}, 'UTC')
ORDER BY segment, signal, bin
