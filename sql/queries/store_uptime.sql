-- For how many seconds the server has been up.
SELECT toUInt64(uptime())
