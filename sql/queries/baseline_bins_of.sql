-- The counts of some signals of a baseline as it is now, in some segments (in all where none is named).
SELECT model, environment, name, created_at, segment, signal, grid, bin, n, mean, mean_prediction
FROM baseline_bins FINAL
WHERE model = {model:String} AND environment = {environment:String} AND name = {name:String}
    AND created_at = (
        SELECT max(created_at) FROM baselines
        WHERE model = {model:String} AND environment = {environment:String} AND name = {name:String}
    )
    AND signal IN {signals:Array(String)}
    AND (empty({segments:Array(String)}) OR segment IN {segments:Array(String)})
ORDER BY segment, signal, bin
