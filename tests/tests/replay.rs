//! A log is carried out by several threads at once, and must come to what one client would that sends its commands.

use std::fs;
use std::path::Path;
use std::time::Duration;

use harness::aof::{encoded, write_log};
use harness::{Connection, Server, ServerBuilder, call, converse, figure, seed, server_under_test};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

const OK: &str = "+OK\\r\\n";
const LOADING: &str = "-LOADING Redis is loading the dataset in memory\\r\\n";
const LIMIT: Duration = Duration::from_secs(60);
const COMMANDS: usize = 6_000;
/// The fewest bytes that are read at once, some more, and as many as usual: all of a short log.
const STEPS: [&str; 3] = ["1024", "20000", "2097152"];

/// What is about one key, `A`, or two; a type's commands are about keys that mostly have it.
const CHANGES: &[(&str, &[&str])] = &[
    ("string", &["SET A #", "APPEND A #", "INCR A", "INCRBY A #", "SETRANGE A 3 #", "PEXPIREAT A 400000000000#"]),
    (
        "string",
        &["MSET A # B #", "COPY A B REPLACE", "RENAME A B", "BITOP XOR A A B", "DEL A B", "COPY A B DB 1 REPLACE"],
    ),
    ("hash", &["HSET A f# #", "HINCRBY A f1 #", "HDEL A f#", "HSET A f1 # f2 #", "MOVE A 1"]),
    ("list", &["RPUSH A #", "LPUSH A #", "LMOVE A B LEFT RIGHT", "LTRIM A 0 9", "RPOPLPUSH A A", "SORT A STORE B"]),
    ("set", &["SADD A #", "SMOVE A B #", "SUNIONSTORE A A B", "SDIFFSTORE A A B", "SREM A #", "SORT A STORE list1"]),
    ("zset", &["ZADD A # m#", "ZINCRBY A # m1", "ZUNIONSTORE A 2 A B", "ZRANGESTORE A B 0 5", "ZREM A m#"]),
    ("stream", &["XADD A #-# f #", "XTRIM A MAXLEN 5", "XGROUP CREATE A g 0 MKSTREAM", "XSETID A 99-99", "XDEL A #-#"]),
];

/// What may be about any key, or about none.
const OTHERS: &[&str] = &[
    "SWAPDB 0 1",
    "FLUSHDB",
    "SORT string1 BY list* GET string* STORE list2",
    "EVAL return(redis.call('append',KEYS[1],ARGV[1])) 1 string1 7",
    "EVAL redis.call('append','string2',redis.call('dbsize')) 0",
    "PING",
    "EXEC",
    "DISCARD",
    "SELECT 99",
];

type Request = Vec<String>;

fn words(line: &str) -> Request {
    line.split(' ').map(str::to_owned).collect()
}

fn change(random: &mut StdRng) -> Request {
    if random.random_ratio(1, 100) {
        return words(OTHERS.choose(random).expect("some"));
    }
    let (kind, lines) = CHANGES.choose(random).expect("some");
    let mut request = words(lines.choose(random).expect("some"));
    for word in request.iter_mut().skip(1) {
        match word.as_str() {
            "A" | "B" if random.random_ratio(1, 50) => *word = "string1".into(),
            "A" | "B" => *word = format!("{kind}{}", random.random_range(0..12)),
            _ => *word = word.replace('#', &random.random_range(0..20).to_string()),
        }
    }
    request
}

/// A log of all kinds of commands, in several databases.
fn random_log(random: &mut StdRng) -> Vec<Request> {
    let mut log = Vec::new();
    while log.len() < COMMANDS {
        match random.random_range(0..40) {
            0..3 => log.push(words(&format!("SELECT {}", random.random_range(0..3)))),
            3..6 => {
                log.push(words("MULTI"));
                for _ in 0..random.random_range(0..6) {
                    match random.random_range(0..8) {
                        0 => log.push(words(&format!("SELECT {}", random.random_range(0..3)))),
                        _ => log.push(change(random)),
                    }
                }
                log.push(words(if random.random_ratio(1, 8) { "DISCARD" } else { "EXEC" }));
            }
            _ => log.push(change(random)),
        }
    }
    log
}

fn builder(dir: &Path) -> ServerBuilder {
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    ServerBuilder::new(binary).args(["--io-threads", "4", "--enable-debug-command", "yes", "--dir"]).arg(dir)
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A server that begins with the log in a folder.
fn start(dir: &Path, args: &[&str]) -> (Server, Connection) {
    let server = builder(dir).args(["--appendonly", "yes"]).args(args).start().expect("it starts");
    let client = server.connect().expect("a connection");
    (server, client)
}

/// What a server says that does not start.
fn refusal(dir: &Path, args: &[&str]) -> String {
    match builder(dir).args(["--appendonly", "yes"]).args(args).start() {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    }
}

/// What a log amounts to, by one client who sends it to a server without one.
fn digest_of(log: &[Request]) -> String {
    let dir = folder();
    let server = builder(dir.path()).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    for requests in log.chunks(500) {
        requests.iter().for_each(|request| client.send(request).expect("sent"));
        requests.iter().for_each(|_| drop(client.read().expect("a reply")));
    }
    call(&mut client, "DEBUG DIGEST")
}

#[test]
fn many_threads_come_to_the_same_as_one_client() {
    let first = seed("replay");
    for seed in first..first + 6 {
        let log = random_log(&mut StdRng::seed_from_u64(seed));
        let expected = digest_of(&log);
        for step in STEPS {
            let dir = folder();
            write_log(dir.path(), &log.iter().flat_map(|request| harness::encode(request)).collect::<Vec<_>>());
            let (_server, mut client) = start(dir.path(), &["--loading-process-events-interval-bytes", step]);
            assert_eq!(call(&mut client, "DEBUG DIGEST"), expected, "SPINEL_TEST_SEED={seed}, {step} bytes at once");
            // By one thread that has everything.
            converse(&mut client, &[("DEBUG LOADAOF", OK)]);
            assert_eq!(call(&mut client, "DEBUG DIGEST"), expected, "SPINEL_TEST_SEED={seed}, loaded again");
        }
    }
}

#[test]
fn what_comes_behind_a_database_is_about_that_one() {
    let mut log = Vec::new();
    for round in 0..500 {
        let (db, key) = (round % 2, round % 7);
        log.push(format!("SELECT {db}"));
        log.push(format!("APPEND key{key} {round};"));
        log.extend((round % 5 == 0).then(|| format!("COPY key{key} copy{key} DB {} REPLACE", 1 - db)));
        log.extend((round % 11 == 0).then(|| "SELECT 99".to_owned()));
    }
    // What a transaction selects counts where it ends, if it is carried out at all.
    for line in ["SELECT 0", "MULTI", "SELECT 1", "SET a 1", "EXEC", "SET b 1"] {
        log.push(line.into());
    }
    for line in ["SELECT 0", "MULTI", "SELECT 1", "SET a 1", "DISCARD", "SET b 0"] {
        log.push(line.into());
    }
    let lines: Vec<&str> = log.iter().map(String::as_str).collect();
    let expected = digest_of(&lines.iter().map(|line| words(line)).collect::<Vec<_>>());
    for step in STEPS {
        let dir = folder();
        write_log(dir.path(), &encoded(&lines));
        let (_server, mut client) = start(dir.path(), &["--loading-process-events-interval-bytes", step]);
        assert_eq!(call(&mut client, "DEBUG DIGEST"), expected);
        let (zero, one) = ("*2\\r\\n$-1\\r\\n$1\\r\\n0\\r\\n", "*2\\r\\n$1\\r\\n1\\r\\n$1\\r\\n1\\r\\n");
        converse(&mut client, &[("MGET a b", zero), ("SELECT 1", OK), ("MGET a b", one)]);
    }
}

#[test]
fn what_is_whole_is_there_wherever_the_log_breaks_off() {
    let units: [&[&str]; 5] =
        [&["SELECT 1"], &["SET a 1"], &["MULTI", "INCR a", "INCR b", "EXEC"], &["APPEND a x"], &["DEL b"]];
    let values = ["*2\\r\\n$-1\\r\\n$-1\\r\\n", "*2\\r\\n$1\\r\\n1\\r\\n$-1\\r\\n"];
    let later = ["*2\\r\\n$1\\r\\n2\\r\\n$1\\r\\n1\\r\\n", "*2\\r\\n$2\\r\\n2x\\r\\n$1\\r\\n1\\r\\n"];
    let values = [values[0], values[0], values[1], later[0], later[1], "*2\\r\\n$2\\r\\n2x\\r\\n$-1\\r\\n"];
    let ends: Vec<usize> = (0..=units.len()).map(|count| encoded(&units[..count].concat()).len()).collect();
    let log = encoded(&units.concat());
    for end in 0..=log.len() {
        let dir = folder();
        let path = write_log(dir.path(), &log[..end]);
        let whole = ends.iter().rposition(|unit| *unit <= end).expect("none is whole");
        let (_server, mut client) = start(dir.path(), &[]);
        converse(&mut client, &[("SELECT 1", OK), ("MGET a b", values[whole])]);
        assert_eq!(fs::read(&path).expect("a log"), log[..ends[whole]], "broken off at {end}");
    }
}

#[test]
fn what_is_about_the_server_has_no_place_in_a_log() {
    let log = [
        "SET a 1",
        "SHUTDOWN NOSAVE",
        "DEBUG LOADAOF",
        "CONFIG SET appendonly no",
        "BGREWRITEAOF",
        "SUBSCRIBE news",
        "WATCH a",
        "RESET",
        "SET a 2",
        "MULTI",
        "DEBUG SLEEP 100",
        "LPUSH a 1",
        "SET b 3",
        "EXEC",
    ];
    let dir = folder();
    write_log(dir.path(), &encoded(&log));
    let (server, mut client) = start(dir.path(), &[]);
    converse(&mut client, &[("MGET a b", "*2\\r\\n$1\\r\\n2\\r\\n$1\\r\\n3\\r\\n"), ("PING", "+PONG\\r\\n")]);
    assert_eq!(figure(&mut client, "loading"), "0");
    for command in ["shutdown", "debug", "config|set", "bgrewriteaof", "subscribe", "watch", "reset"] {
        let told = format!("'-ERR {command} has no place in an append only file' after processing the command");
        assert!(server.log().contains(&told), "{command}: {}", server.log());
    }
    let told =
        "'-WRONGTYPE Operation against a key holding the wrong kind of value' after processing the command 'exec'";
    assert!(server.log().contains(told), "{}", server.log());
}

#[test]
fn nobody_waits_in_a_log() {
    let log =
        ["BLPOP a 0", "BLMOVE b c LEFT LEFT 0", "BZPOPMIN z 0", "RPUSH a 1 2", "RPUSH b 1", "BLPOP a 0", "ZADD z 1 m"];
    let dir = folder();
    write_log(dir.path(), &encoded(&log));
    let (_server, mut client) = start(dir.path(), &[]);
    converse(
        &mut client,
        &[
            ("LRANGE a 0 -1", "*1\\r\\n$1\\r\\n2\\r\\n"),
            ("LRANGE b 0 -1", "*1\\r\\n$1\\r\\n1\\r\\n"),
            ("EXISTS c", ":0\\r\\n"),
            ("ZCARD z", ":1\\r\\n"),
        ],
    );
}

#[test]
fn a_command_that_cannot_be_ends_the_start() {
    for (line, said) in [
        ("SET b", "Wrong number of arguments for the command 'SET' reading the append only file"),
        ("CONFIG", "Wrong number of arguments for the command 'CONFIG' reading the append only file"),
        ("CONFIG NOSUCH x", "Unknown command 'CONFIG' reading the append only file"),
        ("REPLICAOF NO ONE", "Unknown command 'REPLICAOF' reading the append only file"),
    ] {
        for around in [("SET a 1", "SET a 2"), ("MULTI", "EXEC")] {
            let dir = folder();
            write_log(dir.path(), &encoded(&[around.0, line, around.1]));
            let text = refusal(dir.path(), &[]);
            assert!(text.contains(said), "{text}");
        }
    }
}

#[test]
fn a_corrupted_end_is_cut_off_where_that_is_wanted() {
    let whole = encoded(&["SELECT 0", "SET a 1"]);
    for corrupted in [&b"garbage"[..], &[&encoded(&["MULTI", "SET a 2"])[..], b"\0\0\0\0"].concat()] {
        let log = [&whole[..], corrupted].concat();
        let most = corrupted.len();
        let dir = folder();
        let path = write_log(dir.path(), &log);
        let text = refusal(dir.path(), &["--aof-load-corrupt-tail-max-size", &(most - 1).to_string()]);
        assert!(text.contains("Bad file format reading the append only file"), "{text}");
        assert_eq!(fs::read(&path).expect("a log"), log);
        let (_server, mut client) = start(dir.path(), &["--aof-load-corrupt-tail-max-size", &most.to_string()]);
        converse(&mut client, &[("GET a", "$1\\r\\n1\\r\\n")]);
        assert_eq!(fs::read(&path).expect("a log"), whole);
    }
}

#[test]
fn clients_hear_how_far_it_is_and_a_signal_ends_it() {
    let log: Vec<String> = (0..2000).map(|number| format!("SET key{number} {number}")).collect();
    let log = encoded(&log.iter().map(String::as_str).collect::<Vec<_>>());
    let dir = folder();
    let path = write_log(dir.path(), &log);
    let slow = ["--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"];
    let slow = || {
        let builder = builder(dir.path()).args(["--appendonly", "yes", "--enable-protected-configs", "yes"]).args(slow);
        builder.started_at("Server initialized").start().expect("it starts")
    };
    let server = slow();
    let mut client = server.connect().expect("a connection");
    converse(&mut client, &[("GET key1", LOADING), ("SET a 1", LOADING), ("CLIENT SETNAME me", OK)]);
    assert_eq!(figure(&mut client, "loading"), "1");
    assert_eq!(figure(&mut client, "loading_total_bytes"), log.len().to_string());
    let loaded = |client: &mut Connection| figure(client, "loading_loaded_bytes").parse::<usize>().expect("a number");
    while loaded(&mut client) == 0 {
        std::thread::yield_now();
    }
    assert!(loaded(&mut client) < log.len());
    let (status, text) = server.stop().expect("it leaves");
    assert!(status.success() && text.contains("Received shutdown signal during loading"), "{text}");
    assert_eq!(fs::read(&path).expect("a log"), log);
    let server = slow();
    let mut client = server.connect().expect("a connection");
    converse(&mut client, &[("CONFIG SET key-load-delay 0", OK)]);
    assert!(server.wait_for_log("Ready to accept connections", LIMIT), "{}", server.log());
    converse(&mut client, &[("DBSIZE", ":2000\\r\\n")]);
}
