CREATE MATERIALIZED VIEW IF NOT EXISTS {view:intake_to_traffic_minutes} TO {table:traffic_minutes} AS
SELECT
    model, version, environment, segment, toDateTime(at, 'UTC') AS minute, events, errors,
    fromUnixTimestamp64Milli(first_ms, 'UTC') AS first_event, fromUnixTimestamp64Milli(last_ms, 'UTC') AS last_event,
    largest_lag_ms, received_at AS last_received_at
FROM {table:intake}
ARRAY JOIN
    traffic_segment AS segment, traffic_minute AS at, traffic_events AS events, traffic_errors AS errors,
    traffic_first_event AS first_ms, traffic_last_event AS last_ms, traffic_largest_lag_ms AS largest_lag_ms
