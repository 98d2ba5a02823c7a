-- What happened to incidents: append-only, the audit trail. The state of an incident is a fold over its rows.
CREATE TABLE IF NOT EXISTS {table:incident_events}
(
    incident String,
    sequence UInt32,
    kind LowCardinality(String),
    model LowCardinality(String),
    environment LowCardinality(String),
    cause LowCardinality(String),
    severity LowCardinality(String),
    at DateTime64(3, 'UTC'),
    recorded_at DateTime64(3, 'UTC'),
    since DateTime64(3, 'UTC'),
    actor String,
    reason String,
    title String,
    findings String COMMENT 'JSON: domain::incident::Finding, worst first' CODEC(ZSTD(3)),
    until Nullable(DateTime64(3, 'UTC')),
    action String COMMENT 'the id of the action that asked for it, empty where Leeway acted by itself'
)
ENGINE = {engine:ReplacingMergeTree}
ORDER BY (incident, sequence)
SETTINGS {deduplication}
