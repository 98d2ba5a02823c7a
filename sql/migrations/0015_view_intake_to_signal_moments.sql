CREATE MATERIALIZED VIEW IF NOT EXISTS {view:intake_to_signal_moments} TO {table:signal_moments} AS
SELECT
    model, version, environment, segment, signal, toDateTime(at, 'UTC') AS minute, n, sum, sum_of_squares, least,
    greatest
FROM {table:intake}
ARRAY JOIN
    moment_segment AS segment, moment_signal AS signal, moment_minute AS at, moment_n AS n, moment_sum AS sum,
    moment_sum_of_squares AS sum_of_squares, moment_least AS least, moment_greatest AS greatest
