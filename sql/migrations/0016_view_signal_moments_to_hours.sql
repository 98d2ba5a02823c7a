CREATE MATERIALIZED VIEW IF NOT EXISTS {view:signal_moments_to_hours} TO {table:signal_moment_hours} AS
SELECT
    model, version, environment, segment, signal, toStartOfHour(minute, 'UTC') AS hour, n, sum, sum_of_squares,
    least, greatest
FROM {table:signal_moments}
