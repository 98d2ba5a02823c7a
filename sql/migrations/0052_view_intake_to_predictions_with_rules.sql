ALTER TABLE {view:intake_to_predictions} MODIFY QUERY
SELECT
    id, model, version, environment, timestamp, received_at, numbers, categories, vectors, lists, tags, error,
    trace_id, source, rules
FROM {table:intake}
