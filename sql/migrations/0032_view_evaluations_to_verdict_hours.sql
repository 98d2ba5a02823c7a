CREATE MATERIALIZED VIEW IF NOT EXISTS {view:evaluations_to_verdict_hours} TO {table:verdict_hours} AS
SELECT
    model, environment, watch, if(signal = '', monitor, signal) AS name, toUInt8(signal = '') AS is_monitor,
    toStartOfHour(window_end - toIntervalMillisecond(1), 'UTC') AS hour,
    max(toUInt8(multiIf(verdict = 'too_little_data', 0, verdict = 'on_course', 1, verdict = 'suspect', 2,
        verdict = 'recovering', 3, severity = 'ticket', 4, 5))) AS worst,
    max(if(isFinite(value) AND threshold > 0 AND verdict != 'too_little_data', value / threshold, 0)) AS peak,
    max(evaluated_at) AS judged_at
FROM {table:evaluations}
GROUP BY model, environment, watch, name, is_monitor, hour
