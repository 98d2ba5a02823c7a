-- Category to bin, for counting in SQL: the levels of every categorical grid.
CREATE DICTIONARY IF NOT EXISTS {dictionary:grid_levels}
(
    grid UInt64,
    level String,
    bin UInt16 DEFAULT 2
)
PRIMARY KEY grid, level
SOURCE(CLICKHOUSE({source} QUERY 'SELECT toUInt64(cityHash64(model, signal, grid)) AS grid, level, toUInt16(2 + position) AS bin FROM {database}.grids FINAL ARRAY JOIN levels AS level, arrayEnumerate(levels) AS position WHERE kind = \'category\''))
LIFETIME(0)
LAYOUT(COMPLEX_KEY_HASHED())
