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
    load("HSET, pipeline of 16", "hset", 16, 64, 1_000_000),
    load("LPUSH, pipeline of 16", "lpush", 16, 64, 1_000_000),
    load("LPOP, pipeline of 16", "lpop", 16, 64, 1_000_000),
    load("SADD, pipeline of 16", "sadd", 16, 64, 1_000_000),
    load("ZADD, pipeline of 16", "zadd", 16, 64, 1_000_000),
    load("GET of 16 KiB", "get", 1, 16 * 1024, 100_000),
    load("SET of 16 KiB", "set", 1, 16 * 1024, 100_000),
];

/// Data whose memory is measured.
pub struct Dataset {
    pub name: &'static str,
    /// Commands for each entry.
    pub commands: usize,
    /// The `n`th command.
    pub command: fn(usize) -> Vec<String>,
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(String::from).collect()
}

pub const DATASETS: &[Dataset] = &[
    Dataset {
        name: "string, 14-byte key, 64-byte value",
        commands: 1,
        command: |n| vec!["SET".into(), format!("key:{n:010}"), "x".repeat(64)],
    },
    Dataset {
        name: "the same with a TTL",
        commands: 1,
        command: |n| vec!["SET".into(), format!("key:{n:010}"), "x".repeat(64), "EX".into(), "100000".into()],
    },
    Dataset {
        name: "counter, 12-byte key",
        commands: 1,
        command: |n| vec!["SET".into(), format!("ct:{n:09}"), n.to_string()],
    },
    Dataset {
        name: "session: a hash of 5 fields with a TTL",
        commands: 2,
        command: |n| match n % 2 {
            0 => words(&format!("HSET session:{} user u{n} ip 10.0.0.7 agent Mozilla/5.0 created {n} cart 3", n / 2)),
            _ => words(&format!("EXPIRE session:{} 100000", n / 2)),
        },
    },
    Dataset { name: "field of one hash", commands: 1, command: |n| words(&format!("HSET hash field:{n} value-{n}")) },
    Dataset { name: "member of one set", commands: 1, command: |n| words(&format!("SADD set member:{n}")) },
    Dataset {
        name: "member of one sorted set",
        commands: 1,
        command: |n| words(&format!("ZADD zset {} player:{n}", n * 7919 % 1_000_003)),
    },
    Dataset { name: "element of one list", commands: 1, command: |n| words(&format!("RPUSH list element:{n}")) },
];
