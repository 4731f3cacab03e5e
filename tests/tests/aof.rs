//! The append-only log: what is written, what a server starts with, what is wrong with files, and rewrites.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use harness::aof::{encoded as log, write_log};
use harness::http::HttpConnection;
use harness::{Connection, Server, ServerBuilder, call, converse, encode, figure, figures, server_under_test};
use tempfile::TempDir;

const OK: &str = "+OK\\r\\n";
const LIMIT: Duration = Duration::from_secs(60);

fn binary() -> PathBuf {
    server_under_test(env!("CARGO_BIN_EXE_server-under-test"))
}

fn builder(dir: &Path) -> ServerBuilder {
    let options = ["--io-threads", "2", "--enable-debug-command", "yes", "--appendonly", "yes", "--dir"];
    ServerBuilder::new(binary()).args(options).arg(dir)
}

fn start(dir: &Path) -> (Server, Connection) {
    let server = builder(dir).start().expect("it starts");
    let connection = server.connect().expect("a connection");
    (server, connection)
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn manifest(dir: &Path) -> String {
    fs::read_to_string(dir.join("appendonlydir/appendonly.aof.manifest")).expect("a manifest")
}

/// What a server says that does not start.
fn refusal(builder: &ServerBuilder) -> String {
    match builder.start() {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    }
}

fn check(args: &[&str], path: &Path, answer: &str) -> (bool, String) {
    use std::io::Write;
    let mut tool = Command::new(binary());
    tool.arg("--check-aof").args(args).arg(path);
    tool.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = tool.spawn().expect("it starts");
    // Where nothing is asked, nobody reads the answer.
    let _ = child.stdin.take().map(|mut input| input.write_all(answer.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_new_log_has_an_empty_base_and_a_file_behind_it() {
    let dir = folder();
    let (server, mut client) = start(dir.path());
    let expected = "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n";
    assert_eq!(manifest(dir.path()), expected);
    assert_eq!(figure(&mut client, "aof_enabled"), "1");
    drop(server);
    // Nothing of that changes when it is started again.
    let (_server, _) = start(dir.path());
    assert_eq!(manifest(dir.path()), expected);
}

#[test]
fn what_was_logged_is_there_again() {
    let dir = folder();
    let (server, mut client) = start(dir.path());
    for round in 0..200 {
        for command in [
            format!("SET s{round} {round}"),
            format!("RPUSH list {round} element{round}"),
            format!("SADD set member{round}"),
            format!("ZADD zset {round} member{round}"),
            format!("HSET hash field{round} {round}"),
            format!("XADD stream {}-1 field {round}", round + 1),
        ] {
            call(&mut client, &command);
        }
    }
    converse(&mut client, &[("SELECT 3", OK), ("SET other value", OK), ("SELECT 0", OK)]);
    let before = call(&mut client, "DEBUG DIGEST");
    server.signal(libc::SIGKILL).expect("it is there");
    server.wait().expect("it ends");
    let log = dir.path().join("appendonlydir");
    let unfinished = log.join("appendonly.aof.manifest.4711.tmp");
    fs::write(&unfinished, "file").expect("written");
    let (_server, mut client) = start(dir.path());
    assert!(!unfinished.exists());
    assert_eq!(call(&mut client, "DEBUG DIGEST"), before);
    converse(&mut client, &[("DEBUG LOADAOF", OK)]);
    assert_eq!(call(&mut client, "DEBUG DIGEST"), before);
    // What cannot be read leaves a server that says so.
    fs::write(log.join("appendonly.aof.1.incr.aof"), "garbage").expect("written");
    let refused = "-ERR Error trying to load the AOF files, check server logs.\\r\\n";
    converse(&mut client, &[("DEBUG LOADAOF", refused), ("PING", "+PONG\\r\\n")]);
}

#[test]
fn a_missing_end_is_cut_off_or_refused() {
    let whole = log(&["SELECT 0", "SET a 1", "SET b 2"]);
    let cut = [&whole[..], b"*3\r\n$3\r\nSET\r\n$1\r\nc\r\n$4\r\nab"].concat();
    let dir = folder();
    let path = write_log(dir.path(), &cut);
    let text = refusal(&builder(dir.path()).args(["--aof-load-truncated", "no"]));
    assert!(text.contains("Unexpected end of file reading the append only file appendonly.aof.1.incr.aof"), "{text}");
    assert_eq!(fs::read(&path).expect("a log"), cut);
    let (server, mut client) = start(dir.path());
    converse(&mut client, &[("MGET a b c", "*3\\r\\n$1\\r\\n1\\r\\n$1\\r\\n2\\r\\n$-1\\r\\n")]);
    let said = format!("Truncating the AOF appendonly.aof.1.incr.aof at offset {}", whole.len());
    assert!(server.wait_for_log(&said, LIMIT));
    // What comes now stands right behind.
    converse(&mut client, &[("SET d 4", OK)]);
    drop(server);
    let (_server, mut client) = start(dir.path());
    converse(&mut client, &[("MGET a d", "*2\\r\\n$1\\r\\n1\\r\\n$1\\r\\n4\\r\\n")]);
}

#[test]
fn a_transaction_without_an_end_is_left_out_whole() {
    let whole = log(&["SELECT 0", "SET a 1"]);
    for rest in [log(&["MULTI", "SET b 2"]), log(&["MULTI", "SET b 2", "EXEC"])[..30].to_vec(), log(&["MULTI"])] {
        let dir = folder();
        let path = write_log(dir.path(), &[&whole[..], &rest].concat());
        let (server, mut client) = start(dir.path());
        converse(&mut client, &[("MGET a b", "*2\\r\\n$1\\r\\n1\\r\\n$-1\\r\\n"), ("DBSIZE", ":1\\r\\n")]);
        drop(server);
        assert_eq!(fs::read(&path).expect("a log"), whole);
    }
    let dir = folder();
    write_log(dir.path(), &log(&["SELECT 2", "MULTI", "SET a 1", "INCR a", "EXEC"]));
    let (_server, mut client) = start(dir.path());
    converse(&mut client, &[("SELECT 2", OK), ("GET a", "$1\\r\\n2\\r\\n")]);
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    let good = log(&["SELECT 0", "SET a 1"]);
    for (bad, said) in [
        (&b"SET b 2\r\n"[..], "No command begins there"),
        (b"*0\r\n", "No command begins there"),
        (b"*1\r\n+PING\r\n", "Expected prefix '$', got: '+'"),
        (b"*1\r\n$4\r\nPINGPONG\r\n", "Expected \\r\\n, got: 504f"),
    ] {
        let dir = folder();
        let bytes = [&good[..], bad, &good].concat();
        let path = write_log(dir.path(), &bytes);
        let text = refusal(&builder(dir.path()));
        assert!(text.contains("Bad file format reading the append only file appendonly.aof.1.incr.aof"), "{text}");
        assert!(text.contains("is wrong at offset ") && text.contains(said), "{text}");
        assert_eq!(fs::read(&path).expect("a log"), bytes);
    }
    let dir = folder();
    write_log(dir.path(), &log(&["NOSUCH command"]));
    let text = refusal(&builder(dir.path()));
    assert!(text.contains("Unknown command 'NOSUCH' reading the append only file"), "{text}");
}

#[test]
fn a_command_that_fails_is_told_of_and_the_others_carried_out() {
    let dir = folder();
    write_log(dir.path(), &log(&["SELECT 0", "SET a 1", "LPUSH a 2", "SET b 3"]));
    let (server, mut client) = start(dir.path());
    converse(&mut client, &[("MGET a b", "*2\\r\\n$1\\r\\n1\\r\\n$1\\r\\n3\\r\\n")]);
    assert!(server.wait_for_log("sending an error to its AOF-loading-client: '-WRONGTYPE", LIMIT));
}

#[test]
fn nothing_expires_before_the_log_says_so() {
    let dir = folder();
    // Both keys have expired long ago; what was appended to them came before that.
    let commands = ["SET a 1 PXAT 1000", "APPEND a 2", "SET b 1", "PEXPIREAT b 1000", "INCR b", "PERSIST b"];
    let more = ["HSET h f 1", "HPEXPIREAT h 1000 FIELDS 1 f", "HINCRBY h f 1", "HPERSIST h FIELDS 1 f"];
    write_log(dir.path(), &log(&[&["SELECT 0"], &commands[..], &more].concat()));
    let (_server, mut client) = start(dir.path());
    converse(
        &mut client,
        &[
            ("GET a", "$-1\\r\\n"),
            ("GET b", "$1\\r\\n2\\r\\n"),
            ("HGET h f", "$1\\r\\n2\\r\\n"),
            ("TTL b", ":-1\\r\\n"),
        ],
    );
}

#[test]
fn annotations_of_time_are_written_and_passed_over() {
    let dir = folder();
    let path = write_log(dir.path(), &[b"#TS:1700000000\r\n", &log(&["SELECT 0", "SET a 1"])[..]].concat());
    let server = builder(dir.path()).args(["--aof-timestamp-enabled", "yes"]).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    converse(&mut client, &[("GET a", "$1\\r\\n1\\r\\n"), ("SET b 2", OK)]);
    let text = fs::read_to_string(&path).expect("a log");
    assert_eq!(text.matches("#TS:").count(), 2, "{text}");
    drop(server);
    let (fine, said) = check(&["--truncate-to-timestamp", "1700000001"], &path, "");
    assert!(fine && said.contains("Successfully truncated AOF"), "{said}");
    let (_server, mut client) = start(dir.path());
    converse(&mut client, &[("MGET a b", "*2\\r\\n$1\\r\\n1\\r\\n$-1\\r\\n")]);
}

#[test]
fn the_single_file_of_old_becomes_the_base() {
    let dir = folder();
    fs::write(dir.path().join("appendonly.aof"), log(&["SELECT 0", "SET a 1"])).expect("a log");
    let (server, mut client) = start(dir.path());
    converse(&mut client, &[("GET a", "$1\\r\\n1\\r\\n"), ("SET b 2", OK)]);
    assert!(!dir.path().join("appendonly.aof").exists());
    let expected = "file appendonly.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n";
    assert_eq!(manifest(dir.path()), expected);
    drop(server);
    let (_server, mut client) = start(dir.path());
    converse(&mut client, &[("MGET a b", "*2\\r\\n$1\\r\\n1\\r\\n$1\\r\\n2\\r\\n")]);
}

#[test]
fn a_manifest_that_is_wrong_is_refused() {
    for (text, said) in [
        ("", "Found an empty AOF manifest"),
        ("file a seq 1 type x\n", "Unknown AOF file type"),
        ("file a seq 2 type i\nfile b seq 1 type i\n", "Found a non-monotonic sequence number"),
        ("file ../a seq 1 type b\n", "File can't be a path, just a filename"),
        ("file missing seq 1 type b\n", "Unable to obtain the AOF file missing length"),
    ] {
        let dir = folder();
        write_log(dir.path(), b"");
        fs::write(dir.path().join("appendonlydir/appendonly.aof.manifest"), text).expect("a manifest");
        let refused = refusal(&builder(dir.path()));
        assert!(refused.contains(said), "{refused}");
    }
}

#[test]
fn only_the_end_of_the_log_may_be_missing() {
    let dir = folder();
    let cut = [&log(&["SELECT 0", "SET a 1"])[..], b"*1\r\n$4\r\nPI"].concat();
    let path = write_log(dir.path(), &cut);
    let folder = dir.path().join("appendonlydir");
    let text = "file appendonly.aof.1.incr.aof seq 1 type i\nfile appendonly.aof.2.incr.aof seq 2 type i\n";
    let (manifest, next) = (folder.join("appendonly.aof.manifest"), folder.join("appendonly.aof.2.incr.aof"));
    fs::write(&manifest, text).expect("a manifest");
    fs::write(&next, log(&["SELECT 0"])).expect("a log");
    let refused = refusal(&builder(dir.path()));
    assert!(refused.contains("Fatal error: the truncated file is not the last file"), "{refused}");
    fs::write(&path, &cut).expect("a log");
    let (fine, said) = check(&["--fix"], &manifest, "y\n");
    assert!(!fine && said.contains("because it is not the last file"), "{said}");
    // What comes behind it has not begun when the server was killed.
    fs::write(&next, b"").expect("a log");
    let (server, mut client) = start(dir.path());
    converse(&mut client, &[("GET a", "$1\\r\\n1\\r\\n"), ("SET b 2", OK)]);
    drop(server);
    let (_server, mut client) = start(dir.path());
    converse(&mut client, &[("MGET a b", "*2\\r\\n$1\\r\\n1\\r\\n$1\\r\\n2\\r\\n")]);
    fs::write(&path, &cut).expect("a log");
    fs::write(&next, b"").expect("a log");
    let (fine, said) = check(&["--fix"], &manifest, "y\n");
    assert!(fine && said.contains("Successfully truncated AOF appendonly.aof.1.incr.aof"), "{said}");
}

#[test]
fn a_rewrite_leaves_a_base_and_what_came_after_it() {
    for form in ["rdb", "aof"] {
        let dir = folder();
        write_log(
            dir.path(),
            &log(&["SELECT 0", "SET a 1", "SET a 2", "RPUSH list x y z", "SELECT 4", "SADD set 1 2 x"]),
        );
        let preamble = if form == "rdb" { "yes" } else { "no" };
        let server = builder(dir.path()).args(["--aof-use-rdb-preamble", preamble]).start().expect("it starts");
        let mut client = server.connect().expect("a connection");
        let before = call(&mut client, "DEBUG DIGEST");
        converse(&mut client, &[("BGREWRITEAOF", "+Background append only file rewriting started\\r\\n")]);
        assert!(server.wait_for_log("Background AOF rewrite finished successfully", LIMIT));
        let expected =
            format!("file appendonly.aof.1.base.{form} seq 1 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n");
        assert_eq!(manifest(dir.path()), expected);
        assert!(!dir.path().join("appendonlydir/appendonly.aof.1.incr.aof").exists());
        assert_eq!(figure(&mut client, "aof_rewrites"), "1");
        drop(server);
        let (fine, said) = check(&[], &dir.path().join("appendonlydir/appendonly.aof.manifest"), "");
        assert!(fine && said.ends_with("All AOF files and manifest are valid\n"), "{said}");
        let (_server, mut client) = start(dir.path());
        assert_eq!(call(&mut client, "DEBUG DIGEST"), before);
    }
}

#[test]
fn a_rewrite_has_lists_and_streams_as_they_were_whatever_is_done_meanwhile() {
    // What is pending without its entry has no command.
    const CHANGE: &str = "
        math.randomseed(ARGV[1])
        local function place() return math.random(0, redis.call('LLEN', 'list') - 1) end
        redis.call('LPUSH', 'list', ARGV[1])
        redis.call('RPUSH', 'list', ARGV[1] .. 'x')
        redis.call('LPOP', 'list')
        redis.call('RPOP', 'list', 2)
        redis.call('LSET', 'list', place(), 'set' .. ARGV[1])
        redis.call('LREM', 'list', 1, redis.call('LINDEX', 'list', place()))
        redis.call('LINSERT', 'list', 'AFTER', redis.call('LINDEX', 'list', place()), 'inserted' .. ARGV[1])
        redis.call('XADD', 'stream', '*', 'name', ARGV[1])
        redis.call('XREADGROUP', 'GROUP', 'group', 'c' .. ARGV[1] % 7, 'COUNT', 2, 'STREAMS', 'stream', '>')
        local some = redis.call('XPENDING', 'stream', 'group', '-', '+', 50)
        redis.call('XCLAIM', 'stream', 'group', 'other', 0, some[math.random(#some)][1])
        local done = some[math.random(#some)][1]
        redis.call('XACK', 'stream', 'group', done)
        redis.call('XDEL', 'stream', done)";
    let dir = folder();
    let nodes = ["--list-max-listpack-size", "8", "--stream-node-max-entries", "8", "--aof-use-rdb-preamble", "no"];
    let server = builder(dir.path()).args(nodes).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    for n in 1..=3000 {
        call(&mut client, &format!("RPUSH list element{n}"));
        call(&mut client, &format!("XADD stream {n}-1 name {n}"));
    }
    call(&mut client, "XGROUP CREATE stream group 0");
    call(&mut client, "XREADGROUP GROUP group me COUNT 1500 STREAMS stream >");
    let mut number = 0;
    for rewrites in 1..=4 {
        let started = "+Background append only file rewriting started\\r\\n";
        converse(&mut client, &[("BGREWRITEAOF", started)]);
        while figure(&mut client, "aof_rewrites") != rewrites.to_string()
            || figure(&mut client, "aof_rewrite_in_progress") != "0"
        {
            number += 1;
            let reply = client.call(&["EVAL", CHANGE, "2", "list", "stream", &number.to_string()]).expect("a reply");
            assert!(!reply.is_error(), "{reply:?}");
        }
    }
    assert_eq!(figure(&mut client, "aof_last_bgrewrite_status"), "ok");
    let state = |client: &mut Connection| {
        let looks = ["DEBUG DIGEST", "LRANGE list 0 -1", "XPENDING stream group", "XINFO GROUPS stream"];
        looks.map(|command| (command, call(client, command)))
    };
    let before = state(&mut client);
    drop(server);
    let (_server, mut client) = start(dir.path());
    for ((command, before), (_, after)) in before.into_iter().zip(state(&mut client)) {
        assert!(after == before, "{command}");
    }
}

#[test]
fn the_log_is_turned_on_and_off_while_serving() {
    let dir = folder();
    let server = builder(dir.path()).args(["--appendonly", "no"]).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    converse(&mut client, &[("SET a 1", OK)]);
    assert_eq!(figure(&mut client, "aof_enabled"), "0");
    converse(&mut client, &[("CONFIG SET appendonly yes", OK)]);
    assert!(server.wait_for_log("Background AOF rewrite finished successfully", LIMIT));
    converse(&mut client, &[("SET b 2", OK), ("WAITAOF 1 0 0", "*2\\r\\n:1\\r\\n:0\\r\\n")]);
    converse(&mut client, &[("CONFIG SET appendonly no", OK), ("SET c 3", OK)]);
    let refused = "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\\r\\n";
    converse(&mut client, &[("WAITAOF 1 0 0", refused)]);
    drop(server);
    let (_server, mut client) = start(dir.path());
    converse(&mut client, &[("MGET a b c", "*3\\r\\n$1\\r\\n1\\r\\n$1\\r\\n2\\r\\n$-1\\r\\n")]);
}

#[test]
fn nobody_is_told_that_the_disk_has_what_is_left_to_the_system() {
    let dir = folder();
    let server = builder(dir.path()).args(["--appendfsync", "no"]).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    converse(&mut client, &[("SET a 1", OK), ("WAITAOF 1 0 20", "*2\\r\\n:0\\r\\n:0\\r\\n")]);
    converse(&mut client, &[("CONFIG SET appendfsync everysec", OK), ("WAITAOF 1 0 0", "*2\\r\\n:1\\r\\n:0\\r\\n")]);
}

#[test]
fn what_a_rewrite_has_replaced_is_kept_while_that_is_wanted() {
    let dir = folder();
    let (server, mut client) = start(dir.path());
    let rewrite = ("BGREWRITEAOF", "+Background append only file rewriting started\\r\\n");
    converse(&mut client, &[("CONFIG SET aof-disable-auto-gc yes", OK), rewrite]);
    assert!(server.wait_for_log("Background AOF rewrite finished successfully", LIMIT));
    let kept = ["appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof"];
    let are_there = || kept.map(|name| dir.path().join("appendonlydir").join(name).exists());
    assert_eq!(manifest(dir.path()).matches("type h").count(), 2);
    assert_eq!(are_there(), [true, true]);
    converse(&mut client, &[("CONFIG SET aof-disable-auto-gc no", OK)]);
    assert_eq!(manifest(dir.path()).matches("type h").count(), 0);
    assert_eq!(are_there(), [false, false]);
}

#[test]
fn a_rewrite_that_was_stopped_makes_room_for_the_next_one() {
    let dir = folder();
    let (server, mut client) = start(dir.path());
    for round in 0..20 {
        let key = format!("SET key{round} value");
        let delay = ("CONFIG SET rdb-key-save-delay 10000000", OK);
        converse(&mut client, &[(&key, OK), delay]);
        call(&mut client, "BGREWRITEAOF");
        converse(&mut client, &[("CONFIG SET rdb-key-save-delay 0 appendonly no", OK)]);
        converse(&mut client, &[("CONFIG SET appendonly yes", OK), ("INCR after", &format!(":{}\\r\\n", round + 1))]);
        while figures(&mut client, ["aof_rewrite_in_progress", "aof_rewrite_scheduled"]) != ["0", "0"] {
            std::thread::yield_now();
        }
    }
    assert_eq!(manifest(dir.path()).lines().count(), 2);
    let before = call(&mut client, "DEBUG DIGEST");
    drop(server);
    let (_server, mut client) = start(dir.path());
    assert_eq!(call(&mut client, "DEBUG DIGEST"), before);
}

#[test]
fn the_log_is_rewritten_when_it_has_grown() {
    let dir = folder();
    let options = ["--auto-aof-rewrite-percentage", "100", "--auto-aof-rewrite-min-size", "4kb"];
    let server = builder(dir.path()).args(options).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    let value = "x".repeat(1000);
    for _ in 0..20 {
        call(&mut client, &format!("SET key {value}"));
    }
    assert!(server.wait_for_log("Starting automatic rewriting of AOF on", LIMIT));
    assert!(server.wait_for_log("Background AOF rewrite finished successfully", LIMIT));
    converse(&mut client, &[("STRLEN key", ":1000\\r\\n")]);
}

#[test]
fn within_a_transaction_a_rewrite_comes_later() {
    let dir = folder();
    let (server, mut client) = start(dir.path());
    let scheduled = "*1\\r\\n+Background append only file rewriting scheduled\\r\\n";
    converse(&mut client, &[("MULTI", OK), ("BGREWRITEAOF", "+QUEUED\\r\\n"), ("EXEC", scheduled)]);
    assert!(server.wait_for_log("Background AOF rewrite finished successfully", LIMIT));
}

#[test]
fn a_log_that_cannot_be_written_has_writes_refused() {
    let dir = folder();
    let path = write_log(dir.path(), b"");
    // Nothing can be written there.
    fs::remove_file(&path).expect("a log");
    std::os::unix::fs::symlink("/dev/full", &path).expect("a link");
    let (server, mut client) = start(dir.path());
    let mut other = server.connect().expect("a connection");
    call(&mut client, "SET a 1");
    let refused = "-MISCONF Errors writing to the AOF file: No space left on device\\r\\n";
    converse(&mut other, &[("SET b 2", refused), ("PING", refused), ("GET a", "$1\\r\\n1\\r\\n")]);
    converse(&mut other, &[("MULTI", OK), ("SET b 2", refused)]);
    let aborted = "-EXECABORT Transaction discarded because of previous errors.\\r\\n";
    converse(&mut other, &[("EXEC", aborted)]);
    let script = other.call(&["EVAL", "return redis.call('set', 'b', 2)", "1", "b"]).expect("a reply");
    assert!(script.0.starts_with(b"-MISCONF Errors writing to the AOF file: No space left on device"), "{script:?}");
    assert_eq!(figure(&mut client, "aof_last_write_status"), "err");
    assert!(server.wait_for_log("Error writing to the AOF file: No space left on device", LIMIT));
}

#[test]
fn with_always_a_log_that_cannot_be_written_ends_the_server() {
    let dir = folder();
    let path = write_log(dir.path(), b"");
    fs::remove_file(&path).expect("a log");
    std::os::unix::fs::symlink("/dev/full", &path).expect("a link");
    let server = builder(dir.path()).args(["--appendfsync", "always"]).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    assert!(client.call(&["SET", "a", "1"]).is_err());
    let (status, log) = server.wait().expect("it ends");
    assert_eq!(status.code(), Some(1));
    assert!(log.contains("Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting..."));
}

#[test]
fn events_over_http_tell_of_nothing_that_is_not_in_the_log() {
    let dir = folder();
    let server =
        builder(dir.path()).args(["--appendfsync", "always"]).free_port("http-port").start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    let mut http = HttpConnection::open(server.port_of("http-port")).expect("a connection");
    http.send("GET", "/subscribe/chat", &[], b"").expect("sent");
    assert_eq!(http.read_head().expect("an answer").status, 200);
    http.read_chunk().expect("it is subscribed");
    // Long enough for an event that does not wait to be there first.
    converse(&mut client, &[("DEBUG AOF-FLUSH-SLEEP 300000", OK)]);
    let both = [encode(&["SET", "key", "value"]), encode(&["PUBLISH", "chat", "set"])].concat();
    client.send_bytes(&both).expect("sent");
    assert_eq!(http.read_chunk().expect("an event"), b"data: message,chat,set\n\n");
    let log = fs::read(dir.path().join("appendonlydir/appendonly.aof.1.incr.aof")).expect("a log");
    assert!(log.windows(5).any(|part| part == b"value"), "{}", log.escape_ascii());
}

#[test]
fn a_message_tells_of_no_transaction_that_is_not_in_the_log() {
    let dir = folder();
    let server = builder(dir.path()).args(["--appendfsync", "always"]).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    // Of several connections some belong to the other worker.
    let mut listeners: Vec<Connection> = (0..4).map(|_| server.connect().expect("a connection")).collect();
    for listener in &mut listeners {
        listener.call(&["SUBSCRIBE", "news"]).expect("it is subscribed");
    }
    for round in 0..10 {
        let mut transaction = [encode(&["MULTI"]), encode(&["PUBLISH", "news", "begun"])].concat();
        // So much that a message which does not wait would be there first.
        for index in 0..5000 {
            transaction.extend(encode(&["SET", &format!("{round}:{index}"), "value"]));
        }
        transaction.extend(encode(&["SET", "last", &format!("round {round}")]));
        transaction.extend(encode(&["EXEC"]));
        client.send_bytes(&transaction).expect("sent");
        for listener in &mut listeners {
            assert_eq!(listener.read().expect("a message").elements()[2].payload(), b"begun");
            let log = fs::read(dir.path().join("appendonlydir/appendonly.aof.1.incr.aof")).expect("a log");
            assert!(String::from_utf8_lossy(&log).contains(&format!("round {round}")), "{round}");
        }
        for _ in 0..5004 {
            client.read().expect("an answer");
        }
    }
}
