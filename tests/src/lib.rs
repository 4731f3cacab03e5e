//! Starts servers for the tests and the benchmark, and talks to them.
//!
//! Every test takes the server it drives as a path, so that the tests themselves can be checked against a real
//! `redis-server`: set `SPINEL_TEST_SERVER` to its path and run them.

pub mod aof;
mod connection;
pub mod http;
pub mod proc;
mod process;
mod reply;
pub mod tls;

use std::path::PathBuf;

pub use connection::{Connection, call, converse, encode, figure, figures};
pub use process::{Server, ServerBuilder, free_port};
pub use reply::{Reply, escape};

/// The binary that the tests drive: `$SPINEL_TEST_SERVER` if set, else `built`, which the caller takes from
/// `env!("CARGO_BIN_EXE_server-under-test")`.
pub fn server_under_test(built: &str) -> PathBuf {
    std::env::var_os("SPINEL_TEST_SERVER").map_or_else(|| PathBuf::from(built), PathBuf::from)
}

/// The seed of a randomised test: `$SPINEL_TEST_SEED` to replay a run, else a new one. Printed either way.
pub fn seed(test: &str) -> u64 {
    let seed = std::env::var("SPINEL_TEST_SEED").ok().map_or_else(rand::random, |text| {
        text.parse().unwrap_or_else(|_| panic!("SPINEL_TEST_SEED is not a number: {text}"))
    });
    eprintln!("{test}: replay with SPINEL_TEST_SEED={seed}");
    seed
}

/// A number from the environment, or `default` where the variable is not set.
pub fn env_number(name: &str, default: usize) -> usize {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
        Err(_) => default,
    }
}
