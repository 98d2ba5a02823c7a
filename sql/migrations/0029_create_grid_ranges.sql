-- Value to bin, for counting in SQL: the ranges of every numeric grid.
CREATE DICTIONARY IF NOT EXISTS {dictionary:grid_ranges}
(
    grid UInt64,
    low Float64,
    high Float64,
    bin UInt16 DEFAULT 1
)
PRIMARY KEY grid
SOURCE(CLICKHOUSE({source} QUERY 'SELECT toUInt64(cityHash64(model, signal, grid)) AS grid, low, high, toUInt16(2 + position) AS bin FROM {database}.grids FINAL ARRAY JOIN lows AS low, highs AS high, arrayEnumerate(lows) AS position WHERE kind = \'number\''))
LIFETIME(0)
LAYOUT(RANGE_HASHED())
RANGE(MIN low MAX high)
