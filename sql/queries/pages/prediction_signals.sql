SELECT DISTINCT toString(signal) AS signal
FROM grids
WHERE model = {model:String} AND startsWith(signal, 'prediction.')
ORDER BY signal
