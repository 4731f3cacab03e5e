//! RESP2 and RESP3 as bytes: requests in, replies out. Knows nothing of sockets or keys.
