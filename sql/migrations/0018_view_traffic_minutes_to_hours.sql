CREATE MATERIALIZED VIEW IF NOT EXISTS {view:traffic_minutes_to_hours} TO {table:traffic_hours} AS
SELECT
    model, version, environment, segment, toStartOfHour(minute, 'UTC') AS hour, events, errors, first_event,
    last_event, largest_lag_ms, last_received_at
FROM {table:traffic_minutes}
