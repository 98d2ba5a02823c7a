SELECT
    model, signal, grid, kind, holds_from, edges, lows, highs, levels, made_from, made_of, announced_at, recounted_at
FROM grids FINAL
WHERE model = {model:String} AND signal IN {signals:Array(String)}
ORDER BY model, signal, holds_from, grid
