-- The rules of its model's contract that an event broke, so that breaches can be counted again. `?` stands in rows of before
-- there was this column, and in those that another program wrote: nobody knows what they broke.
ALTER TABLE {table:predictions}
    ADD COLUMN IF NOT EXISTS rules Array(LowCardinality(String)) DEFAULT ['?'] COMMENT 'rules of the contract that it broke'
