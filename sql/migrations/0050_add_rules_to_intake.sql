-- The rules of its model's contract that each event broke, of most none. A batch that does not say so, of a collector or in a
-- spool of before, has `?` instead, which no rule is called: nobody knows.
ALTER TABLE {table:intake}
    ADD COLUMN IF NOT EXISTS rules Array(LowCardinality(String)) DEFAULT ['?']
