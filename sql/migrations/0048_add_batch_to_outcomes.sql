-- By which insert a row came.
ALTER TABLE {table:outcomes}
    ADD COLUMN IF NOT EXISTS batch UInt64 DEFAULT sipHash64(getSetting('insert_deduplication_token'))
    COMMENT 'of the token of the insert' CODEC(ZSTD(1))
