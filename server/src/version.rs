//! What the server says it is.

/// The version of Redis whose behaviour this is: clients switch features on by it.
pub const REDIS: &str = "8.0.6";
/// The server's own version.
pub const SPINEL: &str = env!("CARGO_PKG_VERSION");
