CREATE MATERIALIZED VIEW IF NOT EXISTS {view:intake_to_predictions} TO {table:predictions} AS
SELECT
    id, model, version, environment, timestamp, received_at, numbers, categories, vectors, lists, tags, error,
    trace_id, source
FROM {table:intake}
