CREATE MATERIALIZED VIEW IF NOT EXISTS {view:rejected_events_to_breach_minutes} TO {table:breach_minutes} AS
SELECT
    model, version, environment, rule, toStartOfMinute(toDateTime(happened_at, 'UTC'), 'UTC') AS minute,
    toInt64(count()) AS n, toInt64(count()) AS refused
FROM {table:rejected_events}
ARRAY JOIN rules AS rule
GROUP BY model, version, environment, rule, minute
