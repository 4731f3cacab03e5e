//! Shards, keys, expiry and values in memory. Knows nothing of connections, commands or RESP.
