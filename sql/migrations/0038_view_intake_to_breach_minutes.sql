CREATE MATERIALIZED VIEW IF NOT EXISTS {view:intake_to_breach_minutes} TO {table:breach_minutes} AS
SELECT model, version, environment, rule, toDateTime(at, 'UTC') AS minute, n, toInt64(0) AS refused
FROM {table:intake}
ARRAY JOIN breach_rule AS rule, breach_minute AS at, breach_n AS n
