-- The latest report about an incident.
SELECT report
FROM causes
WHERE incident = {incident:String}
ORDER BY computed_at DESC
LIMIT 1
