-- A number that changes whenever a row of grids does.
SELECT toUInt64(count() + sum(cityHash64(model, signal, grid, written_at))) AS version
FROM grids
