CREATE MATERIALIZED VIEW IF NOT EXISTS {view:breach_minutes_to_hours} TO {table:breach_hours} AS
SELECT
    model, version, environment, rule, toStartOfHour(minute, 'UTC') AS hour, sum(n) AS n, sum(refused) AS refused
FROM {table:breach_minutes}
GROUP BY model, version, environment, rule, hour
