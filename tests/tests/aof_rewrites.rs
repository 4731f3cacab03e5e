//! Rewrites of the append-only log when things go wrong: it cannot be written, or the server ends meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::{Connection, Server, ServerBuilder, converse, figure, server_under_test};
use tempfile::TempDir;

const OK: &str = "+OK\\r\\n";
const STARTED: &str = "+Background append only file rewriting started\\r\\n";
const LIMIT: Duration = Duration::from_secs(60);
const REFUSED: &str = "-MISCONF Errors writing to the AOF file: No space left on device\\r\\n";
/// Keys so slowly written that a rewrite is still running when something else is done.
const SLOW: (&str, &str) = ("CONFIG SET rdb-key-save-delay 10000000", OK);

fn builder(dir: &Path) -> ServerBuilder {
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    let options = ["--io-threads", "2", "--enable-debug-command", "yes", "--appendonly", "yes"];
    ServerBuilder::new(binary).args(options).args(["--rdbcompression", "no", "--dir"]).arg(dir)
}

fn start(dir: &Path) -> (Server, Connection) {
    let server = builder(dir).start().expect("it starts");
    let connection = server.connect().expect("a connection");
    (server, connection)
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn log_file(dir: &Path, name: &str) -> PathBuf {
    dir.join("appendonlydir").join(name)
}

fn kill(server: Server) {
    server.signal(libc::SIGKILL).expect("it is there");
    server.wait().expect("it ends");
}

/// Lets files of a server grow to so many bytes and no further.
fn limit_files(server: &Server, bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    let pid = i32::try_from(server.pid()).expect("a number of a process");
    // SAFETY: the limit is read during the call, and nothing is written.
    let outcome = unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, &limit, std::ptr::null_mut()) };
    assert_eq!(outcome, 0);
}

/// Has a log that is much longer than the data, and whose end does not fit any more: the last element of a list of two.
fn fill(server: &Server, client: &mut Connection, dir: &Path) {
    let value = format!("SET key {}", "value".repeat(100));
    for _ in 0..5 {
        converse(client, &[(&value, OK)]);
    }
    converse(client, &[("RPUSH list 1", ":1\\r\\n")]);
    let size = fs::metadata(log_file(dir, "appendonly.aof.1.incr.aof")).expect("a log").len();
    limit_files(server, size + 10);
    converse(client, &[("RPUSH list 2", ":2\\r\\n")]);
    assert!(server.wait_for_log("Short write while writing to the AOF file", LIMIT));
    converse(client, &[("RPUSH list 3", REFUSED)]);
}

fn list(elements: &[&str]) -> String {
    let elements = elements.iter().map(|it| format!("${}\\r\\n{it}\\r\\n", it.len()));
    format!("*{}\\r\\n{}", elements.len(), elements.collect::<String>())
}

/// What the manifest names is what is there.
fn assert_tidy(dir: &Path) {
    let manifest = fs::read_to_string(log_file(dir, "appendonly.aof.manifest")).expect("a manifest");
    let mut named: Vec<_> = manifest.lines().filter_map(|line| line.split(' ').nth(1).map(str::to_owned)).collect();
    named.push("appendonly.aof.manifest".into());
    named.sort();
    let entries = fs::read_dir(dir.join("appendonlydir")).expect("a folder").flatten();
    let mut there: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    there.sort();
    assert_eq!(there, named, "{manifest}");
}

#[test]
fn a_rewrite_replaces_a_log_that_cannot_be_written() {
    let dir = folder();
    let (server, mut client) = start(dir.path());
    fill(&server, &mut client, dir.path());
    assert_eq!(figure(&mut client, "aof_last_write_status"), "err");
    converse(&mut client, &[("BGREWRITEAOF", STARTED)]);
    assert!(server.wait_for_log("Background AOF rewrite finished successfully", LIMIT));
    assert_eq!(figure(&mut client, "aof_last_write_status"), "ok");
    assert_eq!(figure(&mut client, "aof_last_bgrewrite_status"), "ok");
    converse(&mut client, &[("RPUSH list 3", ":3\\r\\n"), ("WAITAOF 1 0 0", "*2\\r\\n:1\\r\\n:0\\r\\n")]);
    kill(server);
    assert_tidy(dir.path());
    let (_server, mut client) = start(dir.path());
    converse(&mut client, &[("LRANGE list 0 -1", &list(&["1", "2", "3"]))]);
}

#[test]
fn what_could_not_be_written_waits_until_the_base_is_there() {
    let dir = folder();
    let (server, mut client) = start(dir.path());
    fill(&server, &mut client, dir.path());
    converse(&mut client, &[SLOW, ("BGREWRITEAOF", STARTED)]);
    assert!(server.wait_for_log("Creating AOF incr file appendonly.aof.2.incr.aof on background rewrite", LIMIT));
    converse(&mut client, &[("RPUSH list 3", REFUSED)]);
    kill(server);
    // All that was in the log is there, and nothing that came behind what was not.
    let (server, mut client) = start(dir.path());
    converse(&mut client, &[("LRANGE list 0 -1", &list(&["1"])), ("STRLEN key", ":500\\r\\n")]);
    converse(&mut client, &[("RPUSH list 2", ":2\\r\\n")]);
    kill(server);
    let (_server, mut client) = start(dir.path());
    converse(&mut client, &[("LRANGE list 0 -1", &list(&["1", "2"]))]);
}

#[test]
fn what_could_not_be_written_is_written_once_if_the_base_fails() {
    let dir = folder();
    let (server, mut client) = start(dir.path());
    fill(&server, &mut client, dir.path());
    // There is room for the manifest, and none for the base. From a second attempt on there are several files that the log
    // has yet to come to.
    limit_files(&server, 400);
    for round in 1..=3 {
        converse(&mut client, &[("BGREWRITEAOF", STARTED)]);
        while figure(&mut client, "aof_rewrites_consecutive_failures") != round.to_string() {
            std::thread::yield_now();
        }
        assert_eq!(figure(&mut client, "aof_last_write_status"), "err");
    }
    limit_files(&server, libc::RLIM_INFINITY);
    assert!(server.wait_for_log("AOF write error looks solved", LIMIT));
    converse(&mut client, &[("RPUSH list 3", ":3\\r\\n"), ("WAITAOF 1 0 0", "*2\\r\\n:1\\r\\n:0\\r\\n")]);
    kill(server);
    assert_tidy(dir.path());
    let (server, mut client) = start(dir.path());
    converse(&mut client, &[("LRANGE list 0 -1", &list(&["1", "2", "3"])), ("BGREWRITEAOF", STARTED)]);
    assert!(server.wait_for_log("Background AOF rewrite finished successfully", LIMIT));
    assert_tidy(dir.path());
    drop(server);
    let (_server, mut client) = start(dir.path());
    converse(&mut client, &[("LRANGE list 0 -1", &list(&["1", "2", "3"]))]);
}

#[test]
fn a_server_that_ends_leaves_nothing_of_a_rewrite() {
    let dir = folder();
    for round in 0..12 {
        let (server, mut client) = start(dir.path());
        let pushed = format!(":{}\\r\\n", round + 1);
        converse(&mut client, &[("RPUSH list element", &pushed), ("SET key value", OK)]);
        if round % 3 == 0 {
            converse(&mut client, &[SLOW]);
        }
        converse(&mut client, &[("BGREWRITEAOF", STARTED)]);
        // At every moment of it, from the first to beyond the last.
        for _ in 0..round * 2 {
            converse(&mut client, &[("PING", "+PONG\\r\\n")]);
        }
        if round % 2 == 0 {
            assert!(client.call(&["SHUTDOWN"]).is_err());
        } else {
            server.signal(libc::SIGTERM).expect("it is there");
        }
        let (status, log) = server.wait().expect("it ends");
        assert!(status.success(), "{log}");
        assert_tidy(dir.path());
    }
    let (_server, mut client) = start(dir.path());
    converse(&mut client, &[("LLEN list", ":12\\r\\n")]);
}

#[test]
fn a_first_base_that_is_given_up_leaves_nothing() {
    let dir = folder();
    let server = builder(dir.path()).args(["--appendonly", "no"]).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    converse(&mut client, &[("SET key value", OK), SLOW, ("CONFIG SET appendonly yes", OK)]);
    while figure(&mut client, "current_save_keys_total") == "0" {
        std::thread::yield_now();
    }
    converse(&mut client, &[("SHUTDOWN", "-ERR Errors trying to SHUTDOWN. Check logs.\\r\\n"), ("SET key 2", OK)]);
    assert!(client.call(&["SHUTDOWN", "FORCE"]).is_err());
    server.wait().expect("it ends");
    let left: Vec<_> = fs::read_dir(dir.path().join("appendonlydir")).expect("a folder").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_rewrite_tells_how_far_it_is() {
    let dir = folder();
    let (_server, mut client) = start(dir.path());
    converse(&mut client, &[("DEBUG POPULATE 100", OK), SLOW, ("BGREWRITEAOF", STARTED)]);
    // One, or as many as happen to stand beside each other.
    let done = loop {
        let done = figure(&mut client, "current_save_keys_processed");
        if done != "0" {
            break done;
        }
        std::thread::yield_now();
    };
    assert_eq!(figure(&mut client, "current_save_keys_total"), "100");
    assert_eq!(figure(&mut client, "current_fork_perc"), format!("{done}.00"));
    assert_eq!(figure(&mut client, "rdb_bgsave_in_progress"), "0");
    // What comes too late is kept as it was until it is written.
    converse(&mut client, &[("FLUSHALL", OK)]);
    assert_ne!(figure(&mut client, "current_cow_peak"), "0");
}
