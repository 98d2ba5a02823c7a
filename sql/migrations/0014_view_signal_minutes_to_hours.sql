CREATE MATERIALIZED VIEW IF NOT EXISTS {view:signal_minutes_to_hours} TO {table:signal_hours} AS
SELECT
    model, version, environment, grid, segment, signal, toStartOfHour(minute, 'UTC') AS hour, bin, sum(n) AS n
FROM {table:signal_minutes}
GROUP BY model, version, environment, grid, segment, signal, hour, bin
