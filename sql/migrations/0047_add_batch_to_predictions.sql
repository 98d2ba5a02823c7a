-- By which insert a row came: whether an insert whose answer was lost left its rows is asked by it (decision 2).
ALTER TABLE {table:predictions}
    ADD COLUMN IF NOT EXISTS batch UInt64 DEFAULT sipHash64(getSetting('insert_deduplication_token'))
    COMMENT 'of the token of the insert' CODEC(ZSTD(1))
