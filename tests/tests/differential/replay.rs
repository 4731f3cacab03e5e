//! What is written down makes the same data anew, in this server and in Redis.
//!
//! Several clients change few keys at once: with commands of all kinds, in transactions, scripts and pipelines, waiting for
//! each other, while keys and fields expire. Then other servers read the log, and must hold what this one holds.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::thread;

use harness::aof::folder;
use harness::{Connection, Reply, Server, ServerBuilder, escape};
use rand::RngExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::generate::{FAMILIES, Family, KEYS, Request};

const CLIENTS: u64 = 4;
const COMMANDS: usize = 2_000;
const DATABASES: usize = 16;

/// What is asked of every key.
const QUESTIONS: &[&str] = &[
    "PEXPIRETIME KEY",
    "GET KEY",
    "HGETALL KEY",
    "LRANGE KEY 0 -1",
    "ZRANGE KEY 0 -1 WITHSCORES",
    "SMEMBERS KEY",
    "XRANGE KEY - +",
    "XINFO STREAM KEY",
    "XINFO GROUPS KEY",
    "XPENDING KEY g1",
    "XPENDING KEY g2",
    "XPENDING KEY g3",
];

/// What clients do besides the commands of the families, by the names of keys that mostly hold what it is about. `A` and
/// `B` are such keys.
const MORE: &[(&str, &[&str])] = &[
    (
        "string",
        &["SET A 1 PX 30", "SET A 1 PX 3", "PEXPIRE A 20", "INCR A", "INCR A", "APPEND A 7", "INCRBYFLOAT A 0.5"],
    ),
    (
        "hash",
        &[
            "HSET A a 1 b 2 c 3",
            "HPEXPIRE A 15 FIELDS 2 a b",
            "HPEXPIRE A 1 FIELDS 1 a",
            "HINCRBY A a 1",
            "HINCRBY A b 1",
            "HSETNX A a 5",
            "HSETEX A FNX PX 10 FIELDS 1 d 4",
            "HGETEX A PX 5 FIELDS 1 c",
        ],
    ),
    ("set", &["SADD A 1 2 3 a b c", "SADD A d e f g h i j", "SPOP A", "SPOP A 2", "SPOP A 7", "SMOVE A B a"]),
    (
        "list",
        &[
            "RPUSH A 1 2 3",
            "BLPOP A B 0.01",
            "BLMOVE A B LEFT RIGHT 0.01",
            "BRPOPLPUSH A A 0.01",
            "BLMPOP 0.01 2 A B LEFT COUNT 2",
        ],
    ),
    ("zset", &["ZADD A 1 a 2 b 3 c", "BZPOPMIN A B 0.01", "BZMPOP 0.01 2 A B MAX COUNT 2", "ZINCRBY A 0.1 a"]),
    (
        "stream",
        &[
            "XADD A * f v",
            "XADD A MAXLEN ~ 150 * f v",
            "XADD A MINID ~ 99 * f v",
            "XTRIM A MAXLEN ~ 120 LIMIT 100",
            "XGROUP CREATE A g1 0 MKSTREAM",
            "XREADGROUP GROUP g1 c1 COUNT 2 BLOCK 10 STREAMS A >",
            "XREADGROUP GROUP g1 c2 COUNT 2 NOACK STREAMS A >",
            "XAUTOCLAIM A g1 c3 0 0 COUNT 3",
        ],
    ),
    ("other", &["SELECT 0", "SELECT 0", "SELECT 0", "FUNCTION FLUSH", "SWAPDB 0 1"]),
];

/// Scripts, about `KEYS[1]` and `KEYS[2]`.
const SCRIPTS: &[&str] = &[
    "redis.call('set',KEYS[1],1,'EX',1000) return redis.call('incr',KEYS[1])",
    "redis.pcall('rpush',KEYS[1],'x') redis.pcall('sadd',KEYS[2],1,2,3) redis.pcall('spop',KEYS[2])",
    "redis.call('del',KEYS[1]) redis.pcall('incr',KEYS[2]) return redis.call('get','k1')",
    "redis.call('select',3) redis.pcall('incr',KEYS[1]) redis.call('select',0) redis.pcall('append',KEYS[2],'y')",
    "redis.pcall('lpush',KEYS[1],'a') redis.pcall('lmove',KEYS[1],'k2','left','right') error('stop')",
];

/// What is only to be done now and then, since it leaves little behind.
const FLUSHES: &[&str] = &["flushdb", "flushall"];

fn words(line: &str) -> Request {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// Something that a client does at once.
fn next(random: &mut StdRng, families: &[&Family]) -> Vec<Request> {
    let key = |random: &mut StdRng| KEYS.choose(random).copied().unwrap_or_default().to_vec();
    let more = |random: &mut StdRng| -> Request {
        let Some((kind, lines)) = MORE.choose(random) else { return Request::new() };
        let mut request = words(lines.choose(random).copied().unwrap_or_default());
        for word in request.iter_mut().filter(|word| *word == b"A" || *word == b"B") {
            *word = match random.random_ratio(9, 10) {
                true => format!("{kind}{}", random.random_range(0..2)).into_bytes(),
                false => key(random),
            };
        }
        request
    };
    let one = |random: &mut StdRng| match families.choose(random) {
        Some(family) if random.random_ratio(1, 2) => (family.generate)(random),
        _ => more(random),
    };
    match random.random_range(0..10) {
        0 => {
            let mut requests: Vec<Request> = (0..random.random_range(0..5)).map(|_| one(random)).collect();
            requests.insert(0, words("MULTI"));
            requests.push(words("EXEC"));
            requests
        }
        1 => {
            let script = SCRIPTS.choose(random).copied().unwrap_or_default();
            vec![vec![b"EVAL".to_vec(), script.into(), b"2".to_vec(), key(random), key(random)]]
        }
        2 => (0..random.random_range(1..20)).map(|_| one(random)).collect(),
        _ => vec![one(random)],
    }
}

/// Changes data for a while.
fn change(server: &Server, seed: u64, commands: usize) -> io::Result<()> {
    let mut random = StdRng::seed_from_u64(seed);
    let families: Vec<&Family> = FAMILIES.iter().filter(|family| family.name != "connection").collect();
    let mut connection = server.connect()?;
    let mut left = commands;
    while left > 0 {
        let mut requests = next(&mut random, &families);
        let is_flush = |request: &Request| {
            FLUSHES.iter().any(|name| request.first().is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes())))
        };
        if !random.random_ratio(1, 200) {
            requests.retain(|request| !is_flush(request));
        }
        for request in &requests {
            connection.send(request)?;
        }
        for _ in &requests {
            connection.read()?;
        }
        left = left.saturating_sub(requests.len().max(1));
    }
    Ok(())
}

/// All data of a server, as it answers questions.
fn contents(connection: &mut Connection) -> io::Result<BTreeMap<String, String>> {
    let mut contents = BTreeMap::new();
    for db in 0..DATABASES {
        connection.call(&["SELECT", &db.to_string()])?;
        for key in connection.call(&["KEYS", "*"])?.elements() {
            for question in QUESTIONS {
                let mut request = words(question);
                let place = request.iter_mut().find(|word| *word == b"KEY");
                if let Some(place) = place {
                    *place = key.payload().to_vec();
                }
                let reply = connection.call(&request)?;
                if !reply.is_error() {
                    contents.insert(format!("{db} {} {question}", escape(key.payload())), told(question, &reply));
                }
            }
        }
    }
    Ok(contents)
}

/// A reply, of which only counts what is the same wherever the data is.
fn told(question: &str, reply: &Reply) -> String {
    let elements = reply.elements();
    let text = |reply: &Reply| escape(&reply.0);
    let mut parts: Vec<String> = match question.split(' ').next() {
        Some("HGETALL") => elements.chunks(2).map(|pair| pair.iter().map(text).collect()).collect(),
        Some("SMEMBERS") => elements.iter().map(text).collect(),
        // How the stream lies in memory is nobody's business.
        Some("XINFO") if question.contains("STREAM") => {
            let kept = |pair: &&[Reply]| !pair[0].payload().starts_with(b"radix-tree");
            elements.chunks(2).filter(kept).map(|pair| pair.iter().map(text).collect()).collect()
        }
        _ => return text(reply),
    };
    parts.sort();
    parts.concat()
}

/// Starts a server on a copy of a log.
fn start_on(binary: &Path, log: &Path) -> io::Result<Server> {
    let copy = tempfile::tempdir()?;
    let to = folder(copy.path());
    fs::create_dir(&to)?;
    for file in fs::read_dir(log)? {
        let file = file?;
        fs::copy(file.path(), to.join(file.file_name()))?;
    }
    let dir = copy.path().as_os_str();
    // All is read once it is ready, so that the copy may go.
    let mut builder = ServerBuilder::new(binary).args(["--appendonly", "yes", "--enable-debug-command", "yes"]);
    builder = builder.arg("--dir").arg(dir);
    builder.start()
}

fn difference(live: &BTreeMap<String, String>, again: &BTreeMap<String, String>) -> Option<String> {
    let keys = live.keys().chain(again.keys());
    let differs = keys.into_iter().find(|key| live.get(*key) != again.get(*key))?;
    let show = |contents: &BTreeMap<String, String>| contents.get(differs).cloned().unwrap_or_else(|| "nothing".into());
    Some(format!("{differs}\n  was    {}\n  is now {}", show(live), show(again)))
}

fn start(binary: &Path) -> io::Result<Server> {
    Server::start(binary, &["--appendonly", "yes", "--enable-debug-command", "yes", "--io-threads", "4"])
}

/// Waits until all keys that have expired are removed, and no field is left that has.
fn settle(connection: &mut Connection) -> io::Result<()> {
    // Nothing that is to expire at all has more time than that.
    connection.call(&["DEBUG", "SLEEP", "0.1"])?;
    contents(connection)?;
    for db in 0..DATABASES {
        connection.call(&["SELECT", &db.to_string()])?;
        while connection.call(&["DBSIZE"])?.integer()
            != i64::try_from(connection.call(&["KEYS", "*"])?.elements().len()).ok()
        {
            thread::yield_now();
        }
    }
    Ok(())
}

/// Reads the log of a server that nobody uses any more, with each of some servers.
fn compare(server: &Server, others: &[&Path], seed: u64) -> Result<(), String> {
    let failed = |error: io::Error| error.to_string();
    let mut connection = server.connect().map_err(failed)?;
    settle(&mut connection).map_err(failed)?;
    let live = contents(&mut connection).map_err(failed)?;
    let digest = connection.call(&["DEBUG", "DIGEST"]).map_err(failed)?;
    let log = folder(server.dir());
    for other in others {
        let told = |problem: String| format!("SPINEL_TEST_SEED={seed}, read by {}: {problem}", other.display());
        let again = start_on(other, &log).map_err(|error| told(error.to_string()))?;
        let mut connection = again.connect().map_err(failed)?;
        settle(&mut connection).map_err(failed)?;
        let found = contents(&mut connection).map_err(failed)?;
        if let Some(difference) = difference(&live, &found) {
            return Err(told(difference));
        }
        let found = connection.call(&["DEBUG", "DIGEST"]).map_err(failed)?;
        if found != digest {
            return Err(told(format!("DEBUG DIGEST was {digest:?} and is {found:?}")));
        }
    }
    Ok(())
}

/// Random changes by several clients.
pub fn repeat(reference: Option<&Path>) -> Result<(), String> {
    let failed = |error: io::Error| error.to_string();
    let binary = harness::server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    let server = start(&binary).map_err(failed)?;
    let seed = harness::seed("repeat");
    let commands = harness::env_number("SPINEL_REPLAY_COMMANDS", COMMANDS);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn({
                    let server = &server;
                    move || change(server, seed ^ client, commands)
                })
            })
            .collect();
        clients
            .into_iter()
            .try_for_each(|client| client.join().map_err(|_| "a client panicked".to_owned())?.map_err(failed))
    })?;
    let others: Vec<&Path> = [Some(binary.as_path()), reference].into_iter().flatten().collect();
    compare(&server, &others, seed)
}

/// Many changes of the same keys at once, whose order shows.
pub fn order(reference: Option<&Path>) -> Result<(), String> {
    const ROUNDS: usize = 400;
    let failed = |error: io::Error| error.to_string();
    let binary = harness::server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    let server = start(&binary).map_err(failed)?;
    let seed = harness::seed("order");
    let client = |number: u64| -> io::Result<()> {
        let mut random = StdRng::seed_from_u64(seed ^ number);
        let mut connection = server.connect()?;
        for round in 0..ROUNDS {
            let own = format!("{number}:{round};");
            let shared = |random: &mut StdRng| format!("shared{}", random.random_range(0..3));
            let (one, other) = (shared(&mut random), shared(&mut random));
            let requests: Vec<Vec<&str>> = vec![
                vec!["APPEND", &one, &own],
                vec!["RPUSH", "list", &own],
                vec!["LMOVE", "list", "other list", "LEFT", "RIGHT"],
                vec!["MULTI"],
                vec!["APPEND", &one, "("],
                vec!["APPEND", &other, &own],
                vec!["COPY", &one, &other, "REPLACE"],
                vec!["EXEC"],
                vec![
                    "EVAL",
                    "redis.call('append',KEYS[1],ARGV[1]) redis.call('rename',KEYS[1],KEYS[2])",
                    "2",
                    &other,
                    &one,
                    &own,
                ],
                vec!["INCR", "counter"],
            ];
            for request in &requests {
                connection.send(request)?;
            }
            for _ in &requests {
                connection.read()?;
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(move || client(number))).collect();
        clients
            .into_iter()
            .try_for_each(|client| client.join().map_err(|_| "a client panicked".to_owned())?.map_err(failed))
    })?;
    let others: Vec<&Path> = [Some(binary.as_path()), reference].into_iter().flatten().collect();
    compare(&server, &others, seed)
}
