SELECT
    file_sha256, mapping_sha256, model, name, batches, batch_rows, rows, outcomes, rejected, shift_ms, received_at,
    finished, started_at, written_at
FROM imports FINAL
WHERE model = {model:String} AND file_sha256 = {file:String}
ORDER BY started_at
