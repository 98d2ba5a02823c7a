-- Announces one grid, unless that comes too late: a grid that appears in the table after it holds would be missing in
-- what was counted meanwhile. The limit is on the store's clock.
INSERT INTO grids
    (model, signal, grid, kind, holds_from, edges, lows, highs, levels, made_from, made_of, announced_at)
SELECT
    {model:String}, {signal:String}, {grid:UInt32}, {kind:Int8}, fromUnixTimestamp64Milli({holds_from:Int64}, 'UTC'),
    {edges:Array(Float64)}, {lows:Array(Float64)}, {highs:Array(Float64)}, {levels:Array(String)},
    {made_from:String}, {made_of:UInt64}, fromUnixTimestamp64Milli({announced_at:Int64}, 'UTC')
WHERE toUnixTimestamp64Milli(now64(3)) < {not_after_ms:Int64}
