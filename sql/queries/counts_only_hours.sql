-- The hours of receipt in which events of a model were stored without their values.
SELECT DISTINCT toInt64(toUnixTimestamp(hour)) AS hour_s
FROM counts_only_hours
WHERE model = {model:String}
ORDER BY hour_s
