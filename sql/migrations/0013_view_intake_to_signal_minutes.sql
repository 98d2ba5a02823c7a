CREATE MATERIALIZED VIEW IF NOT EXISTS {view:intake_to_signal_minutes} TO {table:signal_minutes} AS
SELECT
    model, version, environment, grid, segment, signal, toDateTime(at, 'UTC') AS minute, bin, n
FROM {table:intake}
ARRAY JOIN
    count_segment AS segment, count_signal AS signal, count_grid AS grid, count_minute AS at, count_bin AS bin,
    count_n AS n
