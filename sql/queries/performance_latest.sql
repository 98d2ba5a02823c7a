SELECT max(computed_at) AS latest
FROM performance_hours
WHERE model = {model:String} AND environment = {environment:String}
