//! What is measured, as data.

/// One load of `redis-benchmark`.
pub struct Workload {
    pub name: &'static str,
    pub pipeline: usize,
    /// Bytes of a value.
    pub size: usize,
    /// What `redis-benchmark -t` calls it.
    pub test: &'static str,
    /// Requests in a round, before `--quick` divides them.
    pub requests: usize,
}

const fn load(name: &'static str, test: &'static str, pipeline: usize, size: usize, requests: usize) -> Workload {
    Workload { name, pipeline, size, test, requests }
}

pub const WORKLOADS: &[Workload] = &[
    load("GET", "get", 1, 64, 200_000),
    load("SET", "set", 1, 64, 200_000),
    load("GET, pipeline of 16", "get", 16, 64, 2_000_000),
    load("SET, pipeline of 16", "set", 16, 64, 2_000_000),
    load("INCR, pipeline of 16", "incr", 16, 64, 2_000_000),
    load("GET, pipeline of 64", "get", 64, 64, 4_000_000),
    load("SET, pipeline of 64", "set", 64, 64, 4_000_000),
    load("MSET of 10 keys, pipeline of 16", "mset", 16, 64, 200_000),
    load("GET of 16 KiB", "get", 1, 16 * 1024, 100_000),
    load("SET of 16 KiB", "set", 1, 16 * 1024, 100_000),
];

/// Data whose memory is measured.
pub struct Dataset {
    pub name: &'static str,
    /// The command that makes entry `n`.
    pub command: fn(usize) -> Vec<String>,
}

pub const DATASETS: &[Dataset] = &[
    Dataset {
        name: "string, 14-byte key, 64-byte value",
        command: |n| vec!["SET".into(), format!("key:{n:010}"), "x".repeat(64)],
    },
    Dataset {
        name: "the same with a TTL",
        command: |n| vec!["SET".into(), format!("key:{n:010}"), "x".repeat(64), "EX".into(), "100000".into()],
    },
    Dataset { name: "counter, 12-byte key", command: |n| vec!["SET".into(), format!("ct:{n:09}"), n.to_string()] },
];
