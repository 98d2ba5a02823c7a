-- What the stored events of a batch broke, on the first row of each (model, version, environment) like the counts.
ALTER TABLE {table:intake}
    ADD COLUMN IF NOT EXISTS breach_rule Array(String),
    ADD COLUMN IF NOT EXISTS breach_minute Array(UInt32) COMMENT 'seconds since 1970',
    ADD COLUMN IF NOT EXISTS breach_n Array(Int64)
