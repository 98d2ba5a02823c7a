-- The parts whose analyzers were heard of lately.
SELECT toUInt32(place) AS living
FROM analyzer_beats
WHERE shards = {shards:UInt32} AND beat_at > now64(3) - toIntervalSecond({within_s:UInt32})
GROUP BY place
ORDER BY place
