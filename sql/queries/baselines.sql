SELECT model, environment, name, window_start, window_end, source, events, created_at
FROM baselines FINAL
WHERE {model:String} = '' OR model = {model:String}
ORDER BY model, environment, name
