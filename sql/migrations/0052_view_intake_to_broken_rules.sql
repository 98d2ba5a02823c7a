CREATE MATERIALIZED VIEW IF NOT EXISTS {view:intake_to_broken_rules} TO {table:broken_rules} AS
SELECT id, model, version, environment, timestamp, received_at, rules
FROM {table:intake}
WHERE notEmpty(rules)
