//! What the server says it is.

/// The version of Redis whose behaviour this is: clients switch features on by it.
pub const REDIS: &str = "8.0.6";
/// The server's own version.
pub const SPINEL: &str = env!("CARGO_PKG_VERSION");

/// What a program says it is, in the form that tools look for in `redis-server --version`.
pub fn line(program: &str) -> String {
    let allocator = storage::memory::allocator_name();
    format!("{program} v={REDIS} sha=00000000:0 malloc={allocator} bits=64 build=spinel-{SPINEL}")
}
