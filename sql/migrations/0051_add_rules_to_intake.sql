-- The rules that each event broke. A batch of before there was this column does not say them.
ALTER TABLE {table:intake}
    ADD COLUMN IF NOT EXISTS rules Array(LowCardinality(String)) DEFAULT ['?']
