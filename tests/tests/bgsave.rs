//! Snapshots while the server serves: each is one moment, whatever is done meanwhile, and what goes wrong does no harm.
//!
//! With `REDIS_SERVER` set to a real `redis-server`, that one has to read the files as well.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use harness::{Connection, Server, ServerBuilder, call, converse, env_number, escape, figure, server_under_test};
use rand::RngExt;

const OK: &str = "+OK\\r\\n";
const STARTED: &str = "+Background saving started\\r\\n";
/// Safety net.
const LONG: Duration = Duration::from_secs(60);

fn built() -> PathBuf {
    server_under_test(env!("CARGO_BIN_EXE_server-under-test"))
}

fn builder() -> ServerBuilder {
    ServerBuilder::new(built()).args(["--io-threads", "2", "--enable-debug-command", "yes"])
}

fn start() -> (Server, Connection) {
    let server = builder().start().expect("it starts");
    let client = server.connect().expect("a connection");
    (server, client)
}

fn number(client: &mut Connection, name: &str) -> u64 {
    figure(client, name).parse().expect("a number")
}

/// Waits until nothing is being saved.
fn settle(client: &mut Connection) {
    while figure(client, "rdb_bgsave_in_progress") != "0" {
        thread::yield_now();
    }
}

/// Starts servers that know nothing but this file: one like that under test, and a real one where there is one.
fn readers(file: &Path) -> Vec<(Server, Connection)> {
    let binaries = [Some(built()), std::env::var_os("REDIS_SERVER").map(PathBuf::from)];
    let start = |binary: PathBuf| {
        let folder = tempfile::tempdir().expect("a folder");
        fs::copy(file, folder.path().join("dump.rdb")).expect("copied");
        let server = ServerBuilder::new(binary).arg("--dir").arg(folder.path()).start().expect("it reads the file");
        let client = server.connect().expect("a connection");
        (server, client)
    };
    binaries.into_iter().flatten().map(start).collect()
}

/// Does something again and again on a connection of its own, until it is dropped.
struct Busy {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Busy {
    fn with(server: &Server, mut work: impl FnMut(&mut Connection) + Send + 'static) -> Busy {
        let mut client = server.connect().expect("a connection");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Relaxed) {
                work(&mut client);
            }
        });
        Busy { stop, thread: Some(thread) }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(ended, Some(Ok(()))), "somebody's work has failed");
    }
}

fn all(client: &mut Connection, commands: &[&str]) {
    for command in commands {
        let reply = client.call(&command.split(' ').collect::<Vec<_>>()).expect("a reply");
        assert!(!reply.is_error(), "{command}: {reply:?}");
    }
}

/// Sets when snapshots are taken.
fn save_at(client: &mut Connection, points: &str) {
    let reply = client.call(&["CONFIG", "SET", "save", points]).expect("a reply");
    assert_eq!(escape(&reply.0), OK);
}

/// So many that the collections of them are written in pieces.
const ACCOUNTS: usize = 1500;

/// All that the accounts of each kind have, where the keys are, and what else is to be so at any moment.
const SUMS: &str = "
    local strings, fields, scores = 0, 0, 0
    for n = 0, 1499 do strings = strings + redis.call('GET', 'account:' .. n) end
    for _, value in ipairs(redis.call('HVALS', 'hash')) do fields = fields + value end
    local members = redis.call('ZRANGE', 'zset', 0, -1, 'WITHSCORES')
    for n = 2, #members, 2 do scores = scores + members[n] end
    local tokens = #redis.call('KEYS', 'token:*')
    local elements = 0
    for _, name in ipairs({'list', 'other-list'}) do
        for _, value in ipairs(redis.call('LRANGE', name, 0, -1)) do elements = elements + value end
    end
    local longer = redis.call('LLEN', 'list') + redis.call('LLEN', 'other-list')
    local jobs, entries = redis.call('XRANGE', 'jobs', '-', '+'), 0
    for _, job in ipairs(jobs) do entries = entries + job[2][2] end
    local pending, owned = redis.call('XPENDING', 'jobs', 'group')[1], 0
    for _, one in ipairs(redis.call('XINFO', 'CONSUMERS', 'jobs', 'group')) do owned = owned + one[4] end
    redis.call('SELECT', 1)
    local generations = {}
    for n = 0, 49 do generations[redis.call('GET', 'k' .. n) or 'none'] = true end
    local count = 0
    for _ in pairs(generations) do count = count + 1 end
    local dbs = {}
    for db = 2, 3 do
        redis.call('SELECT', db)
        local tag = redis.call('GET', 'k0')
        for n = 0, 49 do if redis.call('GET', 'k' .. n) ~= tag then tag = 'mixed' end end
        table.insert(dbs, tag)
    end
    table.sort(dbs)
    local streams = #jobs .. ' ' .. pending .. ' ' .. owned
    return {strings, fields, scores, elements, entries, tokens, longer, count, table.concat(dbs, ' '), streams}";

#[test]
fn every_snapshot_is_one_moment() {
    let nodes = ["--list-max-listpack-size", "8", "--stream-node-max-entries", "8"];
    let server = builder().args(nodes).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    for n in 0..ACCOUNTS {
        all(&mut client, &[&format!("SET account:{n} 1000"), &format!("HSET hash f{n} 1000")]);
        all(&mut client, &[&format!("ZADD zset 1000 m{n}"), "RPUSH list 1000", "XADD jobs * amount 1000"]);
    }
    all(&mut client, &["XGROUP CREATE jobs group 0", "XREADGROUP GROUP group me COUNT 700 STREAMS jobs >"]);
    all(&mut client, &["SET token:0 x", "SELECT 1"]);
    (0..50).for_each(|n| all(&mut client, &[&format!("SET k{n} first")]));
    for (db, tag) in [("2", "a"), ("3", "b")] {
        all(&mut client, &[&format!("SELECT {db}")]);
        (0..50).for_each(|n| all(&mut client, &[&format!("SET k{n} {tag}")]));
    }
    all(&mut client, &["SELECT 0", "CONFIG SET rdb-key-save-delay 50"]);

    let account = || rand::rng().random_range(0..ACCOUNTS);
    let transaction = move |client: &mut Connection| {
        let (from, to) = (account(), account());
        all(client, &["MULTI", &format!("DECRBY account:{from} 7"), &format!("INCRBY account:{to} 7"), "EXEC"]);
        all(client, &["MULTI", &format!("HINCRBY hash f{from} -7"), &format!("HINCRBY hash f{to} 7"), "EXEC"]);
        all(client, &["MULTI", &format!("ZINCRBY zset -7 m{from}"), &format!("ZINCRBY zset 7 m{to}"), "EXEC"]);
    };
    let script = move |client: &mut Connection| {
        const MOVE: &str = "
            local from, to = tonumber(redis.call('GET', KEYS[1])), tonumber(redis.call('GET', KEYS[2]))
            if KEYS[1] ~= KEYS[2] then redis.call('MSET', KEYS[1], from - 3, KEYS[2], to + 3) end
            local list = redis.call('LLEN', 'list') > 0 and 'list' or 'other-list'
            for _, change in ipairs({-3, 3}) do
                local index = math.random(0, redis.call('LLEN', list) - 1)
                redis.call('LSET', list, index, redis.call('LINDEX', list, index) + change)
            end
            redis.call('LMOVE', 'list', 'other-list', 'LEFT', 'RIGHT')
            redis.call('LMOVE', 'other-list', 'list', 'RIGHT', 'LEFT')
            return redis.call('LMOVE', 'list', 'other-list', 'RIGHT', 'LEFT')";
        let (from, to) = (format!("account:{}", account()), format!("account:{}", account()));
        let reply = client.call(&["EVAL", MOVE, "2", &from, &to]).expect("a reply");
        assert!(!reply.is_error(), "{reply:?}");
        // What copies and expires in between, and what comes and goes.
        let other = account();
        all(client, &[&format!("COPY account:{other} copy:{other} REPLACE"), &format!("PEXPIRE copy:{other} 5")]);
        all(client, &[&format!("SET new:{other} x"), &format!("DEL new:{}", account())]);
    };
    let worker = move |client: &mut Connection| {
        // One job is taken, another one is done and comes anew behind the others.
        const WORK: &str = "
            redis.call('XREADGROUP', 'GROUP', 'group', ARGV[1], 'COUNT', 1, 'STREAMS', KEYS[1], '>')
            local index = redis.call('XPENDING', KEYS[1], 'group', '-', '+', 1)[1][1]
            local job = redis.call('XRANGE', KEYS[1], index, index)[1][2]
            redis.call('XACK', KEYS[1], 'group', index)
            redis.call('XDEL', KEYS[1], index)
            return redis.call('XADD', KEYS[1], '*', unpack(job))";
        let me = format!("worker{}", account() % 5);
        let reply = client.call(&["EVAL", WORK, "1", "jobs", &me]).expect("a reply");
        assert!(!reply.is_error(), "{reply:?}");
        all(client, &[&format!("XGROUP CREATECONSUMER jobs group idle{}", account() % 5)]);
        all(client, &[&format!("XGROUP DELCONSUMER jobs group idle{}", account() % 5)]);
        all(
            client,
            &["MULTI", "RENAME jobs spare", "RENAME spare jobs", "RENAME list spare", "RENAME spare list", "EXEC"],
        );
    };
    let (mut token, mut generation) = (0, 0);
    let renamer = move |client: &mut Connection| {
        all(client, &[&format!("RENAME token:{token} token:{}", token + 1)]);
        token += 1;
        all(client, &["SWAPDB 2 3"]);
    };
    let flusher = move |client: &mut Connection| {
        generation += 1;
        all(client, &["MULTI", "SELECT 1", if generation % 2 == 0 { "FLUSHDB" } else { "FLUSHDB ASYNC" }]);
        (0..50).for_each(|n| all(client, &[&format!("SET k{n} {generation}")]));
        all(client, &["EXEC"]);
    };
    let busy = [
        Busy::with(&server, transaction),
        Busy::with(&server, script),
        Busy::with(&server, worker),
        Busy::with(&server, renamer),
        Busy::with(&server, flusher),
    ];
    let sum = ACCOUNTS * 1000;
    for round in 0..env_number("SPINEL_TEST_ROUNDS", 6) {
        converse(&mut client, &[("BGSAVE", STARTED)]);
        settle(&mut client);
        assert_eq!(figure(&mut client, "rdb_last_bgsave_status"), "ok");
        for (_reader, mut reader) in readers(&server.dir().join("dump.rdb")) {
            let expected = format!(
                "*10\\r\\n{}:1\\r\\n:{ACCOUNTS}\\r\\n:1\\r\\n$3\\r\\na b\\r\\n$12\\r\\n{ACCOUNTS} 700 700\\r\\n",
                format!(":{sum}\\r\\n").repeat(5)
            );
            let reply = reader.call(&["EVAL", SUMS, "0"]).expect("a reply");
            assert_eq!(escape(&reply.0), expected, "round {round}");
        }
    }
    drop(busy);
}

#[test]
fn what_comes_after_the_moment_is_not_saved_yet() {
    let (_server, mut client) = start();
    (0..100).for_each(|n| all(&mut client, &[&format!("SET k{n} x")]));
    converse(&mut client, &[("CONFIG SET rdb-key-save-delay 10000000", OK), ("BGSAVE", STARTED), ("SET a b", OK)]);
    assert_eq!(number(&mut client, "rdb_changes_since_last_save"), 101);
    assert_eq!(figure(&mut client, "rdb_bgsave_in_progress"), "1");
    assert_eq!(number(&mut client, "current_save_keys_total"), 100);
    assert_ne!(figure(&mut client, "rdb_current_bgsave_time_sec"), "-1");
    let running = "-ERR Background save already in progress\\r\\n";
    converse(&mut client, &[("BGSAVE", running), ("BGSAVE SCHEDULE", running), ("SAVE", running)]);
    // A flush makes it pointless; without points nothing else is saved.
    converse(&mut client, &[("FLUSHALL", OK)]);
    assert_eq!(figure(&mut client, "rdb_bgsave_in_progress"), "0");
    assert_eq!(figure(&mut client, "rdb_last_bgsave_status"), "ok");
    assert_eq!(figure(&mut client, "current_cow_size"), "0");
    // The next one need not wait for the thread of the former.
    converse(&mut client, &[("SET c d", OK), ("CONFIG SET rdb-key-save-delay 0", OK), ("BGSAVE", STARTED)]);
    settle(&mut client);
    assert_eq!(number(&mut client, "rdb_changes_since_last_save"), 0);
    assert_eq!(number(&mut client, "rdb_saves"), 2);
}

#[test]
fn what_is_handed_over_is_told_and_written() {
    let (server, mut client) = start();
    all(
        &mut client,
        &["DEBUG POPULATE 2000 key 200", "CONFIG SET rdb-key-save-delay 100000", "CONFIG SET rdbcompression no"],
    );
    let digest = call(&mut client, "DEBUG DIGEST");
    converse(&mut client, &[("BGSAVE", STARTED)]);
    for n in 0..2000 {
        all(&mut client, &[&format!("SET key:{n} other")]);
    }
    assert!(number(&mut client, "current_cow_size") > 200_000, "most were changed before they were written");
    assert_eq!(number(&mut client, "current_save_keys_processed"), 2000);
    converse(&mut client, &[("CONFIG SET rdb-key-save-delay 0", OK)]);
    // One step may still rest; a flush of nothing would not do, as the file is wanted.
    settle(&mut client);
    assert!(number(&mut client, "rdb_last_cow_size") > 200_000);
    for (_reader, mut reader) in readers(&server.dir().join("dump.rdb")).into_iter().take(1) {
        assert_eq!(call(&mut reader, "DBSIZE"), ":2000\\r\\n");
        assert_eq!(call(&mut reader, "STRLEN key:77"), ":200\\r\\n");
    }
    assert_ne!(call(&mut client, "DEBUG DIGEST"), digest);
}

#[test]
fn snapshots_are_taken_when_it_is_time() {
    let (server, mut client) = start();
    converse(&mut client, &[("SET a b", OK), ("SET c d", OK)]);
    save_at(&mut client, "1 2");
    assert!(server.wait_for_log("2 changes in 1 seconds. Saving...", LONG));
    assert!(server.wait_for_log("Background saving terminated with success", LONG));
    assert_eq!(number(&mut client, "rdb_changes_since_last_save"), 0);
    save_at(&mut client, "");
    // Within a transaction nothing is half done in a file.
    converse(&mut client, &[("MULTI", OK), ("SET e f", "+QUEUED\\r\\n")]);
    converse(&mut client, &[("BGSAVE", "+QUEUED\\r\\n"), ("SET g h", "+QUEUED\\r\\n")]);
    assert_eq!(call(&mut client, "EXEC"), "*3\\r\\n+OK\\r\\n+Background saving scheduled\\r\\n+OK\\r\\n");
    while number(&mut client, "rdb_changes_since_last_save") > 0 {
        thread::yield_now();
    }
    for (_reader, mut reader) in readers(&server.dir().join("dump.rdb")) {
        assert_eq!(call(&mut reader, "DBSIZE"), ":4\\r\\n");
    }
}

#[test]
fn a_disk_that_is_full_refuses_writes_and_leaves_the_old_file() {
    let server = builder().max_file_bytes(100_000).start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    converse(&mut client, &[("SET a b", OK), ("SAVE", OK), ("CONFIG SET rdbcompression no", OK)]);
    let before = fs::read(server.dir().join("dump.rdb")).expect("a file");
    save_at(&mut client, "3600 1000000");
    all(&mut client, &["DEBUG POPULATE 1000 key 1000", "BGSAVE"]);
    assert!(server.wait_for_log("Background saving error", LONG));
    settle(&mut client);
    assert_eq!(figure(&mut client, "rdb_last_bgsave_status"), "err");
    assert_eq!(fs::read(server.dir().join("dump.rdb")).expect("a file"), before);
    assert_eq!(fs::read_dir(server.dir()).expect("a folder").count(), 1);
    let refused = |reply: String| assert!(reply.starts_with("-MISCONF Redis is configured to save RDB"), "{reply}");
    refused(call(&mut client, "SET a c"));
    refused(call(&mut client, "PING"));
    assert_eq!(call(&mut client, "GET a"), "$1\\r\\nb\\r\\n");
    let script = client.call(&["EVAL", "return redis.pcall('SET', 'a', 'c')", "0"]).expect("a reply");
    refused(escape(&script.0));
    converse(&mut client, &[("CONFIG SET stop-writes-on-bgsave-error no", OK), ("SET a c", OK)]);
    // It takes one that works to make it well again.
    all(&mut client, &["FLUSHDB", "BGSAVE", "CONFIG SET stop-writes-on-bgsave-error yes"]);
    settle(&mut client);
    converse(&mut client, &[("SET a d", OK)]);
}

#[test]
fn who_is_killed_while_saving_leaves_the_old_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let builder = builder().arg("--dir").arg(folder.path());
    let server = builder.start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    converse(&mut client, &[("SET a old", OK), ("SAVE", OK), ("SET a new", OK)]);
    all(&mut client, &["DEBUG POPULATE 1000", "CONFIG SET rdb-key-save-delay 1000000", "BGSAVE"]);
    server.signal(libc::SIGKILL).expect("sent");
    server.wait().expect("it is gone");
    let server = builder.start().expect("it starts");
    let mut client = server.connect().expect("a connection");
    converse(&mut client, &[("GET a", "$3\\r\\nold\\r\\n"), ("DBSIZE", ":1\\r\\n")]);
}

#[test]
fn who_leaves_while_saving_leaves_nothing_half_done() {
    for (how, size) in [("NOSAVE", None), ("SAVE", Some(1001))] {
        let folder = tempfile::tempdir().expect("a folder");
        let server = builder().arg("--dir").arg(folder.path()).start().expect("it starts");
        let mut client = server.connect().expect("a connection");
        all(&mut client, &["DEBUG POPULATE 1000", "CONFIG SET rdb-key-save-delay 1000000", "BGSAVE", "SET a b"]);
        client.send(&["SHUTDOWN", how]).expect("sent");
        assert!(server.wait().expect("it leaves").0.success());
        let names: Vec<_> =
            fs::read_dir(folder.path()).expect("a folder").flatten().map(|file| file.file_name()).collect();
        assert_eq!(names, size.map_or(vec![], |_| vec!["dump.rdb"]));
        for (_reader, mut reader) in size.iter().flat_map(|_| readers(&folder.path().join("dump.rdb"))) {
            assert_eq!(call(&mut reader, "DBSIZE"), format!(":{}\\r\\n", size.unwrap_or_default()));
        }
    }
}

#[test]
fn a_file_goes_where_it_was_to_go() {
    let (server, mut client) = start();
    let elsewhere = tempfile::tempdir().expect("a folder");
    all(&mut client, &["DEBUG POPULATE 100", "CONFIG SET rdb-key-save-delay 1000", "BGSAVE"]);
    let (dir, enabled) = (elsewhere.path().display(), "CONFIG SET rdb-key-save-delay 0");
    for command in [format!("CONFIG SET dir {dir}"), enabled.to_string()] {
        // The folder is protected unless it is configured otherwise.
        call(&mut client, &command);
    }
    settle(&mut client);
    assert_eq!(fs::read_dir(elsewhere.path()).expect("a folder").count(), 0);
    for (_reader, mut reader) in readers(&server.dir().join("dump.rdb")) {
        assert_eq!(call(&mut reader, "DBSIZE"), ":100\\r\\n");
    }
}
