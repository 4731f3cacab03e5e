//! Snapshots in files: SAVE, SHUTDOWN SAVE, starting from a file, and what is wrong with files.

use std::fs;
use std::path::Path;
use std::time::Duration;

use harness::{Connection, Server, ServerBuilder, call, converse, figure, figures, server_under_test};
use tempfile::TempDir;

fn builder(dir: &Path) -> ServerBuilder {
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    ServerBuilder::new(binary).args(["--io-threads", "2", "--enable-debug-command", "yes", "--dir"]).arg(dir)
}

fn start(dir: &Path) -> (Server, Connection) {
    let server = builder(dir).start().expect("it starts");
    let connection = server.connect().expect("a connection");
    (server, connection)
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

const OK: &str = "+OK\\r\\n";
const LIMIT: Duration = Duration::from_secs(60);

fn fill(client: &mut Connection) {
    for round in 0..200 {
        for command in [
            format!("SET s{round} {round}"),
            format!("RPUSH list {round} element{round}"),
            format!("SADD set member{round}"),
            format!("ZADD zset {round} member{round}"),
            format!("HSET hash field{round} {round}"),
            format!("XADD stream {}-1 field {round}", round + 1),
        ] {
            call(client, &command);
        }
    }
    converse(
        client,
        &[
            ("SET expires later EX 10000", OK),
            ("HEXPIRE hash 10000 FIELDS 1 field7", "*1\\r\\n:1\\r\\n"),
            ("XGROUP CREATE stream g 5-1", OK),
            ("SELECT 3", OK),
            ("SET other value", OK),
            ("SELECT 0", OK),
        ],
    );
    let code = "#!lua name=lib\nredis.register_function('f', function() return 7 end)";
    client.call(&["FUNCTION", "LOAD", code]).expect("a reply");
}

/// What must be the same after a restart.
fn state(client: &mut Connection) -> Vec<String> {
    let mut state = vec![call(client, "DEBUG DIGEST"), call(client, "FCALL f 0"), call(client, "XINFO GROUPS stream")];
    state.push(call(client, "PEXPIRETIME expires"));
    state.push(call(client, "HPEXPIRETIME hash FIELDS 2 field7 field8"));
    state
}

#[test]
fn a_server_starts_with_what_was_saved() {
    let dir = folder();
    let (server, mut client) = start(dir.path());
    fill(&mut client);
    assert_ne!(figure(&mut client, "rdb_changes_since_last_save"), "0");
    converse(&mut client, &[("SAVE", OK)]);
    assert_eq!(figure(&mut client, "rdb_changes_since_last_save"), "0");
    assert_eq!(figure(&mut client, "rdb_saves"), "1");
    let before = state(&mut client);
    call(&mut client, "SET lost value");
    assert_eq!(figure(&mut client, "rdb_changes_since_last_save"), "1");
    // Nothing is saved at the end, for there are no points to save at.
    server.stop().expect("it leaves");
    let (_server, mut client) = start(dir.path());
    assert_eq!(state(&mut client), before);
    assert_eq!(figure(&mut client, "rdb_last_load_keys_loaded"), "207");
    assert_eq!(figure(&mut client, "rdb_changes_since_last_save"), "0");
    converse(&mut client, &[("DEBUG RELOAD", OK)]);
    assert_eq!(state(&mut client), before);
    assert_eq!(figure(&mut client, "rdb_changes_since_last_save"), "0");
}

#[test]
fn the_last_snapshot_has_everything_that_was_acknowledged() {
    let dir = folder();
    let (server, mut client) = start(dir.path());
    // Others go on writing while the server saves and leaves; each knows what it was told.
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let mut connection = server.connect().expect("a connection");
            std::thread::spawn(move || {
                let key = format!("counter{writer}");
                let mut told = 0;
                while let Some(count) = connection.call(&["INCR", &key]).ok().and_then(|reply| reply.integer()) {
                    told = count;
                }
                (key, told)
            })
        })
        .collect();
    while call(&mut client, "EXISTS counter0 counter1 counter2 counter3") != ":4\\r\\n" {}
    client.send(&["SHUTDOWN", "SAVE"]).expect("sent");
    let told: Vec<_> = writers.into_iter().map(|writer| writer.join().expect("a writer")).collect();
    assert!(server.wait().expect("it leaves").0.success());
    let (_server, mut client) = start(dir.path());
    for (key, told) in told {
        let saved = client.call(&["GET", &key]).expect("a reply");
        let saved: i64 = String::from_utf8_lossy(saved.payload()).parse().expect("a number");
        // What was done but not told of any more may be there, too.
        assert!((told..=told + 1).contains(&saved), "{key}: told {told}, saved {saved}");
    }
}

#[test]
fn a_snapshot_that_cannot_be_written_leaves_the_old_one() {
    let dir = folder();
    let (server, mut client) = start(dir.path());
    converse(&mut client, &[("SET key old", OK), ("SAVE", OK), ("SET key new", OK)]);
    let before = fs::read(dir.path().join("dump.rdb")).expect("a file");
    // A name that a folder has cannot be replaced.
    fs::create_dir(dir.path().join("taken")).expect("a folder");
    let protected = server_with_name(dir.path(), "taken");
    let mut other = protected.connect().expect("a connection");
    converse(&mut other, &[("SET a b", OK), ("SAVE", "-ERR\\r\\n")]);
    assert_eq!(figure(&mut other, "rdb_last_bgsave_status"), "ok", "as with Redis, only BGSAVE changes it");
    let refused = "-ERR Errors trying to SHUTDOWN. Check logs.\\r\\n";
    converse(&mut other, &[("SHUTDOWN SAVE", refused), ("GET a", "$1\\r\\nb\\r\\n")]);
    drop(server);
    assert_eq!(fs::read(dir.path().join("dump.rdb")).expect("a file"), before);
    let names: Vec<_> =
        fs::read_dir(dir.path()).expect("a folder").map(|entry| entry.expect("one").file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

fn server_with_name(dir: &Path, name: &str) -> Server {
    // It does not exist as a file yet, so that it starts.
    fs::remove_dir(dir.join(name)).expect("it is there");
    let server = builder(dir).args(["--dbfilename", name]).start().expect("it starts");
    fs::create_dir(dir.join(name)).expect("a folder");
    server
}

#[test]
fn a_damaged_file_is_refused() {
    let dir = folder();
    let (server, mut client) = start(dir.path());
    fill(&mut client);
    converse(&mut client, &[("SAVE", OK)]);
    server.stop().expect("it leaves");
    let path = dir.path().join("dump.rdb");
    let whole = fs::read(&path).expect("a file");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let mut later = whole.clone();
    later[5..9].copy_from_slice(b"0099");
    for (bytes, told) in [
        (&whole[..whole.len() / 2], "Unexpected end"),
        (&whole[..whole.len() - 1], "Unexpected end"),
        (&flipped, "RDB"),
        (&later, "Can't handle RDB format version 99"),
        (b"something else entirely", "Wrong signature"),
    ] {
        fs::write(&path, bytes).expect("written");
        let error = builder(dir.path()).start().expect_err("it does not start").to_string();
        assert!(error.contains(told) && error.contains("Fatal error loading the DB"), "{error}");
    }
    fs::write(&path, &whole).expect("written");
    start(dir.path());
}

#[test]
fn a_damaged_value_is_loaded_where_nobody_wants_checksums() {
    const DAMAGED: &str = "$10\\r\\nvaluEvalue\\r\\n";
    let dir = folder();
    let (server, mut client) = start(dir.path());
    converse(&mut client, &[("SET key valuevalue", OK), ("SAVE", OK)]);
    let path = dir.path().join("dump.rdb");
    let mut file = fs::read(&path).expect("a file");
    let at = file.windows(10).position(|bytes| bytes == b"valuevalue").expect("it is not compressed");
    file[at + 4] ^= b'e' ^ b'E';
    fs::write(&path, &file).expect("written");
    let refused = "-ERR Error trying to load the RDB dump, check server logs.\\r\\n";
    converse(
        &mut client,
        &[
            ("DEBUG RELOAD NOSAVE", refused),
            ("DEBUG SET-SKIP-CHECKSUM-VALIDATION 1", OK),
            ("DEBUG RELOAD NOSAVE", OK),
            ("GET key", DAMAGED),
        ],
    );
    server.stop().expect("it leaves");
    let server = builder(dir.path()).args(["--rdbchecksum", "no"]).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    converse(&mut client, &[("GET key", DAMAGED)]);
}

#[test]
fn an_expiry_of_minus_one_is_none() {
    let dir = folder();
    let keys = b"REDIS0012\xfe\x00\
        \xfc\xff\xff\xff\xff\xff\xff\xff\xff\x00\x04stay\x01v\
        \xfc\xfe\xff\xff\xff\xff\xff\xff\xff\x00\x04left\x01v\
        \xff\x00\x00\x00\x00\x00\x00\x00\x00";
    fs::write(dir.path().join("dump.rdb"), keys).expect("written");
    let (_server, mut client) = start(dir.path());
    converse(&mut client, &[("KEYS *", "*1\\r\\n$4\\r\\nstay\\r\\n"), ("PTTL stay", ":-1\\r\\n")]);
    assert_eq!(figures(&mut client, ["rdb_last_load_keys_loaded", "rdb_last_load_keys_expired"]), ["1", "1"]);
}

#[test]
fn what_came_from_a_log_is_in_no_snapshot_yet() {
    const CHANGES: &str = "rdb_changes_since_last_save";
    const SIZES: [&str; 2] = ["aof_base_size", "aof_current_size"];
    let dir = folder();
    let start = || {
        let server = builder(dir.path()).args(["--appendonly", "yes"]).start().expect("it starts");
        let connection = server.connect().expect("a connection");
        (server, connection)
    };
    let (server, mut client) = start();
    assert_eq!(figures(&mut client, SIZES), ["0", "0"], "an empty log has not grown");
    for command in ["SET a 1", "INCR a", "SADD set x y", "DEL a", "GET a", "MULTI", "SET b 1", "SET c 1", "EXEC"] {
        call(&mut client, command);
    }
    // What DEBUG makes is nobody's data.
    converse(&mut client, &[("DEBUG POPULATE 100", OK), ("SELECT 3", OK), ("SET d 1", OK)]);
    assert_eq!(figure(&mut client, CHANGES), "8");
    server.stop().expect("it leaves");
    let (_server, mut client) = start();
    assert_eq!(figure(&mut client, CHANGES), "8");
    converse(&mut client, &[("DBSIZE", ":3\\r\\n"), ("SET e 1", OK)]);
    assert_eq!(figure(&mut client, CHANGES), "9");
    converse(&mut client, &[("DEBUG LOADAOF", OK)]);
    assert_eq!(figure(&mut client, CHANGES), "0");
    let [base, increment] = ["appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof"]
        .map(|name| fs::metadata(dir.path().join("appendonlydir").join(name)).expect("it is there").len());
    assert_eq!(figures(&mut client, SIZES), [base, base + increment].map(|size| size.to_string()));
}

#[test]
fn what_was_saved_is_counted_until_statistics_begin_anew() {
    const COUNTS: [&str; 2] = ["rdb_saves", "aof_rewrites"];
    let dir = folder();
    let (server, mut client) = start(dir.path());
    converse(&mut client, &[("SET a 1", OK), ("SAVE", OK)]);
    converse(&mut client, &[("BGREWRITEAOF", "+Background append only file rewriting started\\r\\n")]);
    assert!(server.wait_for_log("Background AOF rewrite finished successfully", LIMIT));
    assert_eq!(figures(&mut client, COUNTS), ["1", "1"]);
    converse(&mut client, &[("SET a 2", OK), ("CONFIG RESETSTAT", OK)]);
    assert_eq!(figures(&mut client, COUNTS), ["0", "0"]);
    assert_eq!(figure(&mut client, "rdb_changes_since_last_save"), "1", "that is none of them");
}
