//! What is measured, as data.

/// One load of `redis-benchmark`.
pub struct Workload {
    pub name: &'static str,
    pub pipeline: usize,
    /// Bytes of a value.
    pub size: usize,
    pub requests: Requests,
    /// Requests in a round, before `--quick` divides them.
    pub count: usize,
    /// The keys that must be there before.
    pub setup: Setup,
}

/// What is sent.
pub enum Requests {
    /// One of `redis-benchmark -t`'s.
    Test(&'static str),
    /// A command, with `__rand_int__` for numbers by chance.
    Command(&'static str),
}

/// What a server holds before it is measured.
#[derive(Clone, Copy)]
pub enum Setup {
    Nothing,
    /// A string under every key that the requests ask for.
    Strings,
    /// So many commands.
    Commands(usize, fn(usize) -> Vec<String>),
    /// So many million commands, of which `--quick` leaves a tenth.
    ManyCommands(usize, fn(usize) -> Vec<String>),
    /// So many clients that are subscribed to the channel `channel`.
    Subscribers(usize),
}

/// What the scripts do, and the digest of the one for EVALSHA.
const SET_AND_GET: &str = "redis.call('set', KEYS[1], ARGV[1]) return redis.call('get', KEYS[1])";
const SET_AND_GET_LIBRARY: &str = "#!lua name=lib
redis.register_function('set_and_get', function(keys, args)
    redis.call('set', keys[1], args[1])
    return redis.call('get', keys[1])
end)";

const fn test(
    name: &'static str,
    test: &'static str,
    pipeline: usize,
    size: usize,
    count: usize,
    setup: Setup,
) -> Workload {
    Workload { name, pipeline, size, requests: Requests::Test(test), count, setup }
}

const fn command(name: &'static str, command: &'static str, count: usize, setup: Setup) -> Workload {
    Workload { name, pipeline: 16, size: 64, requests: Requests::Command(command), count, setup }
}

pub const WORKLOADS: &[Workload] = &[
    test("GET", "get", 1, 64, 200_000, Setup::Strings),
    test("SET", "set", 1, 64, 200_000, Setup::Nothing),
    test("GET, pipeline of 16", "get", 16, 64, 2_000_000, Setup::Strings),
    test("SET, pipeline of 16", "set", 16, 64, 2_000_000, Setup::Nothing),
    test("INCR, pipeline of 16", "incr", 16, 64, 2_000_000, Setup::Nothing),
    test("GET, pipeline of 64", "get", 64, 64, 4_000_000, Setup::Strings),
    test("SET, pipeline of 64", "set", 64, 64, 4_000_000, Setup::Nothing),
    test("MSET of 10 keys, pipeline of 16", "mset", 16, 64, 200_000, Setup::Nothing),
    test("HSET, pipeline of 16", "hset", 16, 64, 1_000_000, Setup::Nothing),
    test("LPUSH, pipeline of 16", "lpush", 16, 64, 1_000_000, Setup::Nothing),
    test("LPOP, pipeline of 16", "lpop", 16, 64, 1_000_000, Setup::Nothing),
    test("SADD, pipeline of 16", "sadd", 16, 64, 1_000_000, Setup::Nothing),
    test("ZADD, pipeline of 16", "zadd", 16, 64, 1_000_000, Setup::Nothing),
    command(
        "XADD, pipeline of 16",
        "XADD stream:__rand_int__ MAXLEN ~ 1000 * user 1000 action login",
        1_000_000,
        Setup::Nothing,
    ),
    command(
        "ZRANGE of 100, pipeline of 16",
        "ZRANGE zset 500 599 WITHSCORES",
        200_000,
        Setup::Commands(10_000, |n| words(&format!("ZADD zset {} player:{n}", n * 7919 % 1_000_003))),
    ),
    command(
        "LRANGE of 100, pipeline of 16",
        "LRANGE list 500 599",
        200_000,
        Setup::Commands(10_000, |n| words(&format!("RPUSH list element:{n}"))),
    ),
    command(
        "HGETALL of 20 fields, pipeline of 16",
        "HGETALL hash",
        400_000,
        Setup::Commands(20, |n| words(&format!("HSET hash field:{n} value-{n}"))),
    ),
    command(
        "ZRANK among 1M, pipeline of 16",
        "ZRANK zset player:__rand_int__",
        1_000_000,
        Setup::ManyCommands(1, |n| words(&format!("ZADD zset {} player:{n:012}", n * 7919 % 1_000_003))),
    ),
    command(
        "ZRANK among 10M, pipeline of 16",
        "ZRANK zset player:__rand_int__",
        1_000_000,
        Setup::ManyCommands(10, |n| words(&format!("ZADD zset {} player:{n:012}", n * 7919 % 10_000_019))),
    ),
    command(
        "EVALSHA of a SET and a GET, pipeline of 16",
        "EVALSHA aac72bd8699ae9c333eff85158365d7bc61a7177 1 key:__rand_int__ value",
        500_000,
        Setup::Commands(1, |_| vec!["SCRIPT".into(), "LOAD".into(), SET_AND_GET.into()]),
    ),
    command(
        "FCALL of a SET and a GET, pipeline of 16",
        "FCALL set_and_get 1 key:__rand_int__ value",
        500_000,
        Setup::Commands(1, |_| vec!["FUNCTION".into(), "LOAD".into(), SET_AND_GET_LIBRARY.into()]),
    ),
    Workload {
        name: "PUBLISH to 100 subscribers",
        pipeline: 1,
        size: 64,
        requests: Requests::Command("PUBLISH channel message-of-some-twenty-bytes"),
        count: 50_000,
        setup: Setup::Subscribers(100),
    },
    test("GET of 16 KiB", "get", 1, 16 * 1024, 100_000, Setup::Strings),
    test("SET of 16 KiB", "set", 1, 16 * 1024, 100_000, Setup::Nothing),
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
    Dataset {
        name: "entry of streams of 1000",
        commands: 1,
        command: |n| words(&format!("XADD stream:{} {}-1 user {n} action login", n / 1000, n + 1)),
    },
    Dataset { name: "element of one list", commands: 1, command: |n| words(&format!("RPUSH list element:{n}")) },
];
