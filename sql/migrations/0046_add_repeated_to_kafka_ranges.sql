-- Events of a range that came before it: whoever stores the range leaves out the same ones.
ALTER TABLE {table:kafka_ranges}
    ADD COLUMN IF NOT EXISTS repeated Array(Tuple(Int64, UInt32)) COMMENT 'offset of the message, and index of the event in it'
