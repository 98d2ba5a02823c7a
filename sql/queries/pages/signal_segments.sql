SELECT toString(s.segment) AS segment, toUInt64(sum(s.n)) AS n
FROM {table:Identifier} AS s
WHERE model = {model:String} AND environment = {environment:String} AND signal = {signal:String}
    AND {time:Identifier} >= toDateTime({start:Int64}, 'UTC') AND {time:Identifier} < toDateTime({end:Int64}, 'UTC')
GROUP BY segment
HAVING n > 0
ORDER BY segment
LIMIT 500
