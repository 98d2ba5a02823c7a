-- When a model's performance was last computed of outcomes; estimates, which need none, say nothing about that.
SELECT max(computed_at) AS latest
FROM performance_hours
WHERE model = {model:String} AND environment = {environment:String} AND NOT endsWith(metric, '_estimated')
