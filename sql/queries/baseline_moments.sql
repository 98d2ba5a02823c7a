SELECT model, environment, name, created_at, segment, signal, n, sum, sum_of_squares, least, greatest
FROM baseline_moments FINAL
WHERE model = {model:String} AND environment = {environment:String} AND name = {name:String}
    AND created_at = fromUnixTimestamp64Milli({created_at:Int64}, 'UTC')
