-- A part of one insert in one file instead of sixty: a tenth of the engine's work on an insert went into making files.
ALTER TABLE {table:predictions} MODIFY SETTING min_bytes_for_wide_part = 268435456
