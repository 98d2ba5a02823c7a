SELECT toUnixTimestamp64Milli(now64(3)) AS now_ms
