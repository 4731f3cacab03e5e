//! What clients are told while the server still reads its data.

use std::fs;
use std::path::Path;
use std::time::Duration;

use harness::http::HttpConnection;
use harness::{Connection, Server, ServerBuilder, call, converse, figure, server_under_test};
use tempfile::TempDir;

const OK: &str = "+OK\\r\\n";
const LOADING: &str = "-LOADING Redis is loading the dataset in memory\\r\\n";
const KEYS: usize = 1000;
const LIMIT: Duration = Duration::from_secs(60);

fn builder(dir: &Path) -> ServerBuilder {
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    ServerBuilder::new(binary).args(["--io-threads", "2", "--enable-debug-command", "yes", "--dir"]).arg(dir)
}

/// A folder with a snapshot of so many keys.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let server = builder(dir.path()).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    converse(&mut client, &[(&format!("DEBUG POPULATE {KEYS} key 100"), OK), ("SAVE", OK)]);
    dir
}

/// A server that is about to load for minutes, unless it is told not to wait for every key.
fn slow(dir: &Path) -> ServerBuilder {
    let delay = ["--key-load-delay", "200000", "--loading-process-events-interval-bytes", "1024"];
    builder(dir).args(["--enable-protected-configs", "yes"]).args(delay).started_at("Server initialized")
}

/// Ends the slowness, and waits until everything is there.
fn finish(server: &Server, client: &mut Connection) {
    converse(client, &[("CONFIG SET key-load-delay 0", OK)]);
    assert!(server.wait_for_log("Ready to accept connections", LIMIT), "{}", server.log());
}

#[test]
fn only_what_needs_no_data_is_done() {
    let dir = folder();
    let server = slow(dir.path()).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    converse(
        &mut client,
        &[
            ("PING", LOADING),
            ("GET key:1", LOADING),
            ("SET a b", LOADING),
            ("DBSIZE", LOADING),
            ("EVAL redis.call('get','key:1') 0", LOADING),
            ("SAVE", LOADING),
            ("NOSUCH", "-ERR unknown command \\'NOSUCH\\', with args beginning with: \\r\\n"),
            ("GET", "-ERR wrong number of arguments for \\'get\\' command\\r\\n"),
            ("SELECT 1", OK),
            ("CLIENT SETNAME me", OK),
            ("CLIENT GETNAME", "$2\\r\\nme\\r\\n"),
            ("CONFIG SET maxmemory 0", OK),
            ("CONFIG SET dir /", LOADING),
            ("MULTI", OK),
            ("CLIENT GETNAME", "+QUEUED\\r\\n"),
            ("EXEC", "*1\\r\\n$2\\r\\nme\\r\\n"),
            ("MULTI", OK),
            ("GET key:1", LOADING),
            ("EXEC", "-EXECABORT Transaction discarded because of previous errors.\\r\\n"),
            ("SUBSCRIBE news", "*3\\r\\n$9\\r\\nsubscribe\\r\\n$4\\r\\nnews\\r\\n:1\\r\\n"),
            (
                "GET key:1",
                "-ERR Can\\'t execute \\'get\\': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in \
                 this context\\r\\n",
            ),
            ("RESET", "+RESET\\r\\n"),
        ],
    );
    let number = |client: &mut Connection, name: &str| figure(client, name).parse::<u64>().expect("a number");
    assert_eq!(figure(&mut client, "loading"), "1");
    assert_eq!(figure(&mut client, "async_loading"), "0");
    let size = fs::metadata(dir.path().join("dump.rdb")).expect("a file").len();
    assert_eq!(number(&mut client, "loading_total_bytes"), size);
    assert!(number(&mut client, "loading_loaded_bytes") < size);
    assert!(number(&mut client, "loading_start_time") > 0);
    assert!(number(&mut client, "loading_eta_seconds") > 0);
    assert!(number(&mut client, "loading_rdb_used_mem") > 0);
    let percent: f64 = figure(&mut client, "loading_loaded_perc").parse().expect("a number");
    assert!((0.0..100.0).contains(&percent));
    finish(&server, &mut client);
    assert_eq!(figure(&mut client, "loading"), "0");
    assert_eq!(figure(&mut client, "loading_total_bytes"), "");
    converse(&mut client, &[("DBSIZE", &format!(":{KEYS}\\r\\n")), ("PING", "+PONG\\r\\n")]);
    assert_eq!(figure(&mut client, "rdb_last_load_keys_loaded"), KEYS.to_string());
}

#[test]
fn nothing_expires_and_nothing_is_evicted_meanwhile() {
    let dir = folder();
    let server = slow(dir.path()).args(["--maxmemory", "1", "--maxmemory-policy", "allkeys-random"]).start();
    let server = server.expect("it starts");
    let mut client = server.connect().expect("a connection");
    converse(&mut client, &[("GET key:1", LOADING), ("CONFIG SET maxmemory 0", OK)]);
    finish(&server, &mut client);
    converse(&mut client, &[("DBSIZE", &format!(":{KEYS}\\r\\n"))]);
}

#[test]
fn half_the_data_is_never_saved() {
    let dir = folder();
    let path = dir.path().join("dump.rdb");
    let whole = fs::read(&path).expect("a file");
    for wanted in ["SHUTDOWN", "SHUTDOWN SAVE"] {
        let server = slow(dir.path()).args(["--save", "1 1"]).start().expect("it starts");
        let mut client = server.connect().expect("a connection");
        assert_eq!(call(&mut client, "PING"), LOADING);
        client.send(&wanted.split(' ').collect::<Vec<_>>()).expect("sent");
        let (status, log) = server.wait().expect("it leaves");
        assert!(status.success() && log.contains("User requested shutdown"), "{log}");
        assert_eq!(fs::read(&path).expect("a file"), whole);
    }
    let server = slow(dir.path()).args(["--save", "1 1"]).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    assert_eq!(call(&mut client, "PING"), LOADING);
    let (status, log) = server.stop().expect("it leaves");
    assert!(status.success() && log.contains("Received shutdown signal during loading, scheduling shutdown."), "{log}");
    assert_eq!(fs::read(&path).expect("a file"), whole);
}

#[test]
fn the_log_is_turned_on_once_everything_is_there() {
    let dir = folder();
    let server = slow(dir.path()).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    let log = dir.path().join("appendonlydir");
    for switch in ["yes", "no", "yes"] {
        converse(&mut client, &[(&format!("CONFIG SET appendonly {switch}"), OK), ("GET key:1", LOADING)]);
        assert!(!log.exists());
    }
    finish(&server, &mut client);
    assert!(server.wait_for_log("Background AOF rewrite finished successfully", LIMIT));
    converse(&mut client, &[("SET new value", OK)]);
    server.signal(libc::SIGKILL).expect("it is there");
    server.wait().expect("it ends");
    // As for the log itself.
    let server = slow(dir.path()).args(["--appendonly", "yes"]).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    converse(&mut client, &[("GET key:1", LOADING), ("CONFIG SET aof-disable-auto-gc yes", OK)]);
    converse(&mut client, &[("CONFIG SET aof-disable-auto-gc no appendonly no", OK)]);
    finish(&server, &mut client);
    converse(&mut client, &[("DBSIZE", &format!(":{}\\r\\n", KEYS + 1)), ("SET other value", OK)]);
    assert_eq!(figure(&mut client, "aof_enabled"), "0");
    drop(server);
    let server = slow(dir.path()).args(["--appendonly", "yes"]).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    assert_eq!(call(&mut client, "PING"), LOADING);
    client.send(&["SHUTDOWN"]).expect("sent");
    server.wait().expect("it leaves");
    let server = builder(dir.path()).args(["--appendonly", "yes"]).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    converse(&mut client, &[("DBSIZE", &format!(":{}\\r\\n", KEYS + 1)), ("EXISTS new other", ":1\\r\\n")]);
}

#[test]
fn http_says_that_the_service_is_not_there_yet() {
    let dir = folder();
    let server = slow(dir.path()).free_port("http-port").start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    assert_eq!(call(&mut client, "PING"), LOADING);
    let mut http = HttpConnection::open(server.port_of("http-port")).expect("a connection");
    let mut get = |target: &str| {
        http.send("GET", target, &[], b"").expect("sent");
        let answer = http.read().expect("an answer");
        (answer.status, answer.text())
    };
    let refusal = r#"{"error":"LOADING Redis is loading the dataset in memory"}"#;
    assert_eq!(get("/healthz"), (503, "loading\n".to_owned()));
    assert_eq!(get("/get/key:1"), (503, refusal.to_owned()));
    assert_eq!(get("/echo/hello").0, 200);
    finish(&server, &mut client);
    assert_eq!(get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get("/dbsize"), (200, format!(r#"{{"result":{KEYS}}}"#)));
}
