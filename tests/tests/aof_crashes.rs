//! Servers that are killed at any moment, and disks that fill up: what was promised is there again, and nothing else.
//!
//! `SPINEL_CRASH_ROUNDS` says how often each is tried; a failure prints its seed, `SPINEL_TEST_SEED` replays it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use harness::{Connection, Server, ServerBuilder, call, converse, env_number, seed, server_under_test};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const OK: &str = "+OK\\r\\n";
const WRITERS: usize = 4;
/// What `everysec` may lose: a second, and as long as the disk may keep entries waiting.
const EVERYSEC: Duration = Duration::from_secs(3);

fn builder(dir: &Path, policy: &str) -> ServerBuilder {
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    let options = ["--io-threads", "2", "--appendonly", "yes", "--appendfsync", policy, "--dir"];
    ServerBuilder::new(binary).args(options).arg(dir)
}

fn rounds() -> usize {
    env_number("SPINEL_CRASH_ROUNDS", 3)
}

/// A number, or 0 where there is nothing.
fn number(connection: &mut Connection, command: &[&str]) -> i64 {
    let reply = connection.call(command).expect("a reply");
    if reply.0 == b"$-1\r\n" {
        return 0;
    }
    std::str::from_utf8(reply.payload()).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What a client was told of its own keys.
struct Told {
    /// When each change was acknowledged; the position is the value.
    acknowledged: Vec<Instant>,
}

/// Writes until the server is gone: a counter and a list that grow together, in a transaction, so that neither is ever
/// there without the other.
fn write(mut connection: Connection, writer: usize, first: i64, progress: Arc<AtomicUsize>) -> JoinHandle<Told> {
    thread::spawn(move || {
        let (counter, list) = (format!("counter{writer}"), format!("list{writer}"));
        let mut acknowledged = Vec::new();
        for value in first.. {
            let value = value.to_string();
            let commands: [&[&str]; 4] = [&["MULTI"], &["INCR", &counter], &["RPUSH", &list, &value], &["EXEC"]];
            let sent = commands.iter().try_for_each(|command| connection.send(command));
            let read = sent.and_then(|()| (0..commands.len()).try_for_each(|_| connection.read().map(drop)));
            if read.is_err() {
                break;
            }
            acknowledged.push(Instant::now());
            progress.fetch_add(1, Relaxed);
        }
        Told { acknowledged }
    })
}

/// Asks for rewrites, one after another, until the server is gone.
fn rewrite(mut connection: Connection) -> JoinHandle<()> {
    thread::spawn(move || while connection.call(&["BGREWRITEAOF"]).is_ok() {})
}

/// Kills the server after some changes, and looks whether the next one has what was promised. Several times, each on what
/// the one before has left.
fn killed(name: &str, policy: &str, may_be_lost: Duration, rewrites: bool, options: &[&str]) {
    let mut random = StdRng::seed_from_u64(seed(name));
    let dir = tempfile::tempdir().expect("a folder");
    let mut there = [0; WRITERS];
    for round in 0..rounds() {
        let server = builder(dir.path(), policy).args(options).start().expect("it starts");
        let progress = Arc::new(AtomicUsize::new(0));
        let connect = |server: &Server| server.connect().expect("a connection");
        let rewriter = rewrites.then(|| rewrite(connect(&server)));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| write(connect(&server), writer, there[writer] + 1, Arc::clone(&progress)))
            .collect();
        let enough = random.random_range(1..400);
        while progress.load(Relaxed) < enough {
            thread::yield_now();
        }
        server.signal(libc::SIGKILL).expect("it is there");
        let killed = Instant::now();
        server.wait().expect("it ends");
        let told: Vec<Told> = writers.into_iter().map(|writer| writer.join().expect("a writer")).collect();
        rewriter.into_iter().for_each(|rewriter| rewriter.join().expect("a rewriter"));

        let server = builder(dir.path(), policy).args(options).start().expect("it starts again");
        let mut client = connect(&server);
        for (writer, told) in told.iter().enumerate() {
            let (counter, list) = (format!("counter{writer}"), format!("list{writer}"));
            let found = number(&mut client, &["GET", &counter]);
            let promised = told.acknowledged.iter().filter(|when| killed.duration_since(**when) >= may_be_lost).count();
            let (least, most) = (there[writer] + promised as i64, there[writer] + told.acknowledged.len() as i64 + 1);
            assert!((least..=most).contains(&found), "round {round}: {counter} is {found}, not {least} to {most}");
            let elements = client.call(&["LRANGE", &list, "0", "-1"]).expect("a reply").elements();
            let expected: Vec<String> = (1..=found).map(|value| value.to_string()).collect();
            let elements: Vec<_> =
                elements.iter().map(|element| String::from_utf8_lossy(element.payload()).into_owned()).collect();
            assert_eq!(elements, expected, "round {round}: {list}");
            there[writer] = found;
        }
    }
}

#[test]
fn with_always_nothing_that_was_acknowledged_is_lost() {
    killed("always", "always", Duration::ZERO, false, &[]);
}

#[test]
fn with_everysec_no_more_than_promised_is_lost() {
    killed("everysec", "everysec", EVERYSEC, false, &[]);
}

#[test]
fn a_rewrite_that_is_killed_leaves_everything_as_it_was() {
    killed("rewrite", "always", Duration::ZERO, true, &[]);
}

#[test]
fn a_rewrite_as_commands_that_is_killed_leaves_everything_as_it_was() {
    killed("rewrite as commands", "always", Duration::ZERO, true, &["--aof-use-rdb-preamble", "no"]);
}

#[test]
fn any_damage_is_refused_or_cut_off() {
    let mut random = StdRng::seed_from_u64(seed("damage"));
    let dir = tempfile::tempdir().expect("a folder");
    let server = builder(dir.path(), "no").start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    for value in 1..=50 {
        converse(&mut client, &[("INCR counter", &format!(":{value}\\r\\n"))]);
    }
    drop(server);
    let path = dir.path().join("appendonlydir/appendonly.aof.1.incr.aof");
    let whole = fs::read(&path).expect("a log");
    for round in 0..rounds() * 5 {
        let mut bytes = whole.clone();
        let at = random.random_range(0..bytes.len());
        if random.random_bool(0.5) {
            bytes.truncate(at);
        } else {
            bytes[at] = random.random();
        }
        fs::write(&path, &bytes).expect("a log");
        // One that starts serves; what a changed byte within an argument stands for nobody can know.
        let Ok(server) = builder(dir.path(), "no").start() else { continue };
        let mut client = server.connect().expect("a connection");
        assert_eq!(call(&mut client, "SET fresh value"), OK, "round {round}");
        drop(server);
        let server = builder(dir.path(), "no").start().expect("it starts again");
        let mut client = server.connect().expect("a connection");
        assert_eq!(call(&mut client, "GET fresh"), "$5\\r\\nvalue\\r\\n", "round {round}");
    }
}

/// Lets files of a process grow to so many bytes and no further.
fn limit_files(server: &Server, bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    let pid = i32::try_from(server.pid()).expect("a number of a process");
    // SAFETY: the limit is read during the call, and nothing is written.
    let outcome = unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, &limit, std::ptr::null_mut()) };
    assert_eq!(outcome, 0);
}

#[test]
fn a_disk_that_is_full_for_a_while_costs_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = builder(dir.path(), "everysec").start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    let size = |name: &str| fs::metadata(dir.path().join("appendonlydir").join(name)).expect("a file").len();
    converse(&mut client, &[("SET before value", OK)]);
    let before = size("appendonly.aof.1.incr.aof");
    limit_files(&server, before + 40);
    // Half of it fits.
    call(&mut client, &format!("SET long {}", "x".repeat(100)));
    assert!(server.wait_for_log("Short write while writing to the AOF file", Duration::from_secs(60)));
    let refused = "-MISCONF Errors writing to the AOF file: No space left on device\\r\\n";
    converse(&mut client, &[("SET other value", refused), ("GET before", "$5\\r\\nvalue\\r\\n")]);
    assert_eq!(size("appendonly.aof.1.incr.aof"), before);
    limit_files(&server, libc::RLIM_INFINITY);
    assert!(server.wait_for_log("AOF write error looks solved", Duration::from_secs(60)));
    converse(&mut client, &[("SET after value", OK)]);
    server.signal(libc::SIGKILL).expect("it is there");
    server.wait().expect("it ends");
    let server = builder(dir.path(), "everysec").start().expect("it starts again");
    let mut client = server.connect().expect("a connection");
    converse(&mut client, &[("STRLEN long", ":100\\r\\n"), ("EXISTS before after other", ":2\\r\\n")]);
}

#[test]
fn a_rewrite_that_has_no_room_changes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = builder(dir.path(), "everysec").args(["--rdbcompression", "no"]).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    for key in 0..100 {
        call(&mut client, &format!("SET key{key} {}", "x".repeat(1000 + key)));
    }
    limit_files(&server, 50_000);
    call(&mut client, "BGREWRITEAOF");
    assert!(server.wait_for_log("Background AOF rewrite terminated with error", Duration::from_secs(60)));
    limit_files(&server, libc::RLIM_INFINITY);
    let names: Vec<_> = fs::read_dir(dir.path().join("appendonlydir")).expect("a folder").flatten().collect();
    assert!(names.iter().all(|name| !name.file_name().to_string_lossy().starts_with("temp-")), "{names:?}");
    drop(server);
    let server = builder(dir.path(), "everysec").start().expect("it starts again");
    let mut client = server.connect().expect("a connection");
    converse(&mut client, &[("DBSIZE", ":100\\r\\n"), ("STRLEN key99", ":1099\\r\\n")]);
}
