-- Since when the rules of every stored event are kept, in milliseconds since 1970. A store that was made with the view which
-- keeps them has kept them always. Into an older one somebody may have inserted until the view was there, whose clock was
-- ahead of the store's: a minute is left for that.
SELECT if(since > first + toIntervalMinute(1), toUnixTimestamp64Milli(since + toIntervalMinute(1)), toInt64(0))
FROM
(
    SELECT minIf(applied_at, version = 1) AS first, maxIf(applied_at, endsWith(name, '_view_intake_to_broken_rules')) AS since
    FROM schema_migrations
)
