//! MULTI, EXEC and WATCH.

use harness::{Connection, Server, encode, escape, server_under_test};

fn start() -> Server {
    let args = ["--io-threads", "4", "--enable-debug-command", "yes"];
    Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), &args).expect("the server starts")
}

fn connect(server: &Server) -> Connection {
    server.connect().expect("a connection")
}

fn call(connection: &mut Connection, words: &str) -> String {
    let request: Vec<&str> = words.split(' ').collect();
    escape(&connection.call(&request).expect("a reply").0)
}

/// Sends commands in one go, so that little time passes between them, and gives the last reply.
fn last(connection: &mut Connection, commands: &[&str]) -> String {
    let requests = commands.iter().flat_map(|command| encode(&command.split(' ').collect::<Vec<_>>()));
    connection.send_bytes(&requests.collect::<Vec<u8>>()).expect("sent");
    commands.iter().fold(String::new(), |_, _| escape(&connection.read().expect("a reply").0))
}

#[test]
fn queued_commands_are_carried_out_together() {
    let server = start();
    let mut client = connect(&server);
    assert_eq!(last(&mut client, &["MULTI", "SET a 1"]), "+QUEUED\\r\\n");
    assert_eq!(call(&mut connect(&server), "EXISTS a"), ":0\\r\\n");
    assert_eq!(call(&mut client, "LPUSH a x"), "+QUEUED\\r\\n");
    assert!(call(&mut client, "CLIENT INFO").contains("QUEUED"));
    let list = call(&mut connect(&server), "CLIENT LIST");
    assert!(list.contains(" flags=x ") && list.contains(" multi=3 "), "{list}");
    let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value\\r\\n";
    let replies = call(&mut client, "EXEC");
    assert!(replies.starts_with(&format!("*3\\r\\n+OK\\r\\n{wrong_type}$")), "{replies}");
    assert_eq!(call(&mut client, "EXEC"), "-ERR EXEC without MULTI\\r\\n");
    assert_eq!(last(&mut client, &["MULTI", "EXEC"]), "*0\\r\\n");
}

#[test]
fn a_refused_command_breaks_the_transaction() {
    let server = start();
    let mut client = connect(&server);
    let broken = "-EXECABORT Transaction discarded because of previous errors.\\r\\n";
    for refused in ["NOSUCH", "GET", "SHUTDOWN"] {
        assert_eq!(last(&mut client, &["MULTI", "SET a 1", refused, "EXEC"]), broken, "{refused}");
    }
    assert_eq!(call(&mut client, "EXISTS a"), ":0\\r\\n");
    // These are errors, too, but of no queued command.
    assert_eq!(last(&mut client, &["MULTI", "MULTI"]), "-ERR MULTI calls can not be nested\\r\\n");
    assert_eq!(call(&mut client, "WATCH a"), "-ERR WATCH inside MULTI is not allowed\\r\\n");
    assert_eq!(call(&mut client, "EXEC"), "*0\\r\\n");
    let aborted = "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\\r\\n";
    assert_eq!(last(&mut client, &["MULTI", "EXEC now"]), aborted);
    assert_eq!(call(&mut client, "EXEC"), "-ERR EXEC without MULTI\\r\\n");
}

#[test]
fn a_transaction_needs_memory_if_a_command_of_it_does() {
    let server = start();
    let mut client = connect(&server);
    call(&mut client, "CONFIG SET maxmemory 1");
    assert_eq!(last(&mut client, &["MULTI", "GET a", "EXEC"]), "*1\\r\\n$-1\\r\\n");
    assert!(last(&mut client, &["MULTI", "SET a 1"]).starts_with("-OOM "));
    assert!(call(&mut client, "EXEC").starts_with("-EXECABORT "));
    call(&mut client, "CONFIG SET maxmemory 0");
    assert_eq!(last(&mut client, &["MULTI", "SET a 1"]), "+QUEUED\\r\\n");
    call(&mut connect(&server), "CONFIG SET maxmemory 1");
    let aborted = "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > \
                   'maxmemory'.\\r\\n";
    assert_eq!(call(&mut client, "EXEC"), aborted);
}

#[test]
fn what_happens_to_a_watched_key_ends_the_transaction() {
    let server = start();
    let (mut client, mut other) = (connect(&server), connect(&server));
    // How the key is made, what happens then, and whether that counts.
    let cases = [
        (&["SET k 1"][..], "SET k 1", true),
        (&[], "SET k 1", true),
        (&["SET k 1"], "GET k", false),
        (&["SET k 1"], "DEL k", true),
        (&[], "DEL k", false),
        (&["SET k 1"], "EXPIRE k 100", true),
        (&["SADD k a"], "SADD k a", false),
        (&["SADD k a"], "SADD k b", true),
        (&["RPUSH k a b"], "LPOP k", true),
        (&["HSET k f 1"], "HSET k f 1", true),
        (&["SET k 1"], "FLUSHDB", true),
        (&[], "FLUSHALL", false),
        (&["SET k 1"], "SWAPDB 0 1", true),
        (&[], "SWAPDB 0 1", false),
        (&["SET x 1"], "RENAME x k", true),
        (&["SET k 1"], "MOVE k 1", true),
        (&["XADD k 1-1 f v", "XGROUP CREATE k g 0"], "XREADGROUP GROUP g c STREAMS k >", false),
        (&["XADD k 1-1 f v"], "XDEL k 1-1", true),
        (&["PFADD k a"], "PFCOUNT k", true),
    ];
    for (before, between, counts) in cases {
        call(&mut other, "FLUSHALL");
        before.iter().for_each(|command| drop(call(&mut other, command)));
        assert_eq!(call(&mut client, "WATCH other k"), "+OK\\r\\n");
        call(&mut other, between);
        let outcome = last(&mut client, &["MULTI", "PING", "EXEC"]);
        let expected = if counts { "*-1\\r\\n" } else { "*1\\r\\n+PONG\\r\\n" };
        assert_eq!(outcome, expected, "{before:?} {between}");
        // EXEC has ended the watch.
        call(&mut other, "SET k 9");
        assert_eq!(last(&mut client, &["MULTI", "PING", "EXEC"]), "*1\\r\\n+PONG\\r\\n");
    }
}

#[test]
fn a_watch_ends_early() {
    let server = start();
    let (mut client, mut other) = (connect(&server), connect(&server));
    for ends in [&["UNWATCH"][..], &["MULTI", "DISCARD"], &["RESET"]] {
        call(&mut client, "WATCH k");
        call(&mut other, "SET k 1");
        ends.iter().for_each(|command| drop(call(&mut client, command)));
        assert_eq!(last(&mut client, &["MULTI", "PING", "EXEC"]), "*1\\r\\n+PONG\\r\\n", "{ends:?}");
    }
    let watched = |other: &mut Connection| {
        let info = call(other, "INFO clients");
        info.split("total_watched_keys:").nth(1).map(|rest| rest.starts_with('0')) == Some(false)
    };
    call(&mut client, "WATCH a b");
    assert!(watched(&mut other));
    drop(client);
    while watched(&mut other) {
        std::thread::yield_now();
    }
}

#[test]
fn an_expired_key_is_a_changed_one_unless_it_was_expired_before() {
    let server = start();
    let mut client = connect(&server);
    call(&mut client, "DEBUG SET-ACTIVE-EXPIRE 0");
    last(&mut client, &["SET k 1 PX 100", "WATCH k", "DEBUG SLEEP 0.15"]);
    assert_eq!(last(&mut client, &["MULTI", "PING", "EXEC"]), "*-1\\r\\n");
    last(&mut client, &["SET k 1 PX 100", "DEBUG SLEEP 0.2", "WATCH k"]);
    assert_eq!(last(&mut client, &["GET k", "MULTI", "PING", "EXEC"]), "*1\\r\\n+PONG\\r\\n");
}

#[test]
fn nothing_waits_within_a_transaction_and_waiting_clients_are_served_after_it() {
    let server = start();
    let (mut client, mut waiting) = (connect(&server), connect(&server));
    let outcome = last(&mut client, &["MULTI", "BLPOP l 0", "WAIT 1 0", "XREAD BLOCK 0 STREAMS s $", "EXEC"]);
    assert_eq!(outcome, "*3\\r\\n*-1\\r\\n:0\\r\\n*-1\\r\\n");
    waiting.send(&["BLPOP", "l", "0"]).expect("sent");
    while !call(&mut client, "INFO clients").contains("blocked_clients:1\\r") {
        std::thread::yield_now();
    }
    // Nobody sees what comes and goes in between.
    last(&mut client, &["MULTI", "RPUSH l a", "LPOP l", "RPUSH l b", "LPUSH l c", "EXEC"]);
    assert_eq!(escape(&waiting.read().expect("a reply").0), "*2\\r\\n$1\\r\\nl\\r\\n$1\\r\\nc\\r\\n");
}

#[test]
fn commands_about_everything_see_what_the_transaction_did() {
    let server = start();
    let mut client = connect(&server);
    let commands = ["MULTI", "SET a 1", "DBSIZE", "KEYS *", "RANDOMKEY", "SELECT 1", "DBSIZE", "SCAN 0", "EXEC"];
    let key = "$1\\r\\na\\r\\n";
    let expected =
        format!("*7\\r\\n+OK\\r\\n:1\\r\\n*1\\r\\n{key}{key}+OK\\r\\n:0\\r\\n*2\\r\\n$1\\r\\n0\\r\\n*0\\r\\n");
    assert_eq!(last(&mut client, &commands), expected);
    // The database stays selected.
    assert_eq!(call(&mut client, "EXISTS a"), ":0\\r\\n");
    for command in ["INFO everything", "MEMORY STATS", "DEBUG DIGEST", "DEBUG OBJECT a", "FLUSHALL", "SWAPDB 0 1"] {
        let outcome = last(&mut client, &["SELECT 0", "SET a 1", "MULTI", "GET a", command, "DBSIZE", "EXEC"]);
        assert!(outcome.starts_with("*3\\r\\n"), "{command}: {outcome}");
    }
}

#[test]
fn monitors_and_the_slow_log_show_the_commands_and_not_what_queues_them() {
    let server = start();
    let (mut client, mut monitor) = (connect(&server), connect(&server));
    call(&mut monitor, "MONITOR");
    call(&mut client, "CONFIG SET slowlog-log-slower-than 0");
    call(&mut client, "SLOWLOG RESET");
    last(&mut client, &["MULTI", "SET a 1", "GET a", "EXEC"]);
    let mut shown = Vec::new();
    while shown.last() != Some(&"exec".to_string()) {
        let line = escape(&monitor.read().expect("a line").0).to_lowercase();
        shown.push(line.split("] ").nth(1).unwrap_or_default().replace(['"', '\\'], "").replace("rn", ""));
    }
    assert_eq!(shown, ["multi", "set a 1", "get a", "exec"]);
    let log = call(&mut client, "SLOWLOG GET");
    assert!(log.contains("$3\\r\\nSET") && log.contains("MULTI") && !log.contains("EXEC"), "{log}");
}

/// How many fields of hashes have expired so far, as INFO has it.
fn expired_fields(connection: &mut Connection) -> String {
    let stats = call(connection, "INFO stats");
    let (_, rest) = stats.split_once("expired_subkeys:").expect("a count");
    rest.split("\\r").next().unwrap_or_default().to_string()
}

#[test]
fn fields_that_expire_are_a_change_when_they_are_removed() {
    let server = start();
    let mut client = connect(&server);
    let expiring = ["DEL h", "HSET h f v g v", "HPEXPIRE h 30 FIELDS 1 f", "WATCH h"];
    call(&mut client, "DEBUG SET-ACTIVE-EXPIRE 0");
    last(&mut client, &expiring);
    std::thread::sleep(std::time::Duration::from_millis(60));
    assert_eq!(call(&mut connect(&server), "HGET h f"), "$-1\\r\\n");
    assert_eq!(last(&mut client, &["MULTI", "PING", "EXEC"]), "*-1\\r\\n");
    last(&mut client, &expiring);
    let removed = expired_fields(&mut client);
    call(&mut client, "DEBUG SET-ACTIVE-EXPIRE 1");
    while expired_fields(&mut client) == removed {
        std::thread::yield_now();
    }
    assert_eq!(last(&mut client, &["MULTI", "PING", "EXEC"]), "*-1\\r\\n");
}

#[test]
fn another_form_of_a_counter_is_no_change() {
    let server = start();
    let mut client = connect(&server);
    let converted = last(&mut client, &["PFADD p a", "WATCH p", "PFDEBUG TODENSE p"]);
    assert_eq!(converted, ":1\\r\\n");
    assert_eq!(last(&mut client, &["MULTI", "PING", "EXEC"]), "*1\\r\\n+PONG\\r\\n");
}

#[test]
fn what_may_not_wait_says_so_as_in_redis() {
    let server = start();
    let waits = [
        "BRPOPLPUSH a b 0",
        "BLMOVE a b LEFT RIGHT 0",
        "BLPOP a 0",
        "BRPOP a 0",
        "BLMPOP 0 1 a LEFT",
        "BZPOPMIN z 0",
        "BZPOPMAX z 0",
        "BZMPOP 0 1 z MIN",
        "XREAD BLOCK 0 STREAMS s $",
        "XREADGROUP GROUP g c BLOCK 0 STREAMS s >",
    ];
    // Those two look for one element, the others for some.
    let [resp2, resp3] = [("$-1\\r\\n", "*-1\\r\\n"), ("_\\r\\n", "_\\r\\n")]
        .map(|(one, some)| format!("*{}\\r\\n{}{}", waits.len(), one.repeat(2), some.repeat(waits.len() - 2)));
    for (version, expected) in [("2", resp2), ("3", resp3)] {
        let mut client = connect(&server);
        last(&mut client, &[&format!("HELLO {version}"), "XGROUP CREATE s g $ MKSTREAM", "MULTI"]);
        assert_eq!(last(&mut client, &waits), "+QUEUED\\r\\n");
        assert_eq!(call(&mut client, "EXEC"), expected);
        let null = if version == "2" { "$-1\\r\\n" } else { "_\\r\\n" };
        for words in waits {
            let command = format!("return redis.call('{}')", words.replace(' ', "','"));
            let reply = client.call(&["EVAL", &command, "0"]).expect("a reply");
            assert_eq!(escape(&reply.0), null, "{words}");
        }
    }
}

#[test]
fn what_sends_more_than_replies_is_refused() {
    let server = start();
    let mut client = connect(&server);
    let queued = ["MULTI", "MONITOR", "SSUBSCRIBE c", "SUBSCRIBE c", "UNSUBSCRIBE c"];
    assert_eq!(last(&mut client, &queued), "+QUEUED\\r\\n");
    let no_monitor = "-ERR MONITOR isn't allowed for DENY BLOCKING client\\r\\n";
    let refused = |command: &str| format!("-ERR {command} isn't allowed for a DENY BLOCKING client\\r\\n");
    let expected = format!(
        "*4\\r\\n{no_monitor}{}*3\\r\\n$9\\r\\nsubscribe\\r\\n$1\\r\\nc\\r\\n:1\\r\\n\
         *3\\r\\n$11\\r\\nunsubscribe\\r\\n$1\\r\\nc\\r\\n:0\\r\\n",
        refused("SSUBSCRIBE")
    );
    assert_eq!(call(&mut client, "EXEC"), expected);
    // Scripts may not call them at all, unless a test says so.
    call(&mut client, "DEBUG SET-DISABLE-DENY-SCRIPTS 1");
    for command in ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"] {
        let script = format!("return redis.pcall('{command}', 'c')");
        assert_eq!(escape(&client.call(&["EVAL", &script, "0"]).expect("a reply").0), refused(command));
    }
    let reply = client.call(&["EVAL", "return redis.pcall('monitor')", "0"]).expect("a reply");
    assert_eq!(escape(&reply.0), no_monitor);
    assert_eq!(call(&mut client, "PING"), "+PONG\\r\\n");
}

#[test]
fn a_monitor_touches_no_keys() {
    let server = start();
    let (mut monitor, mut other) = (connect(&server), connect(&server));
    assert_eq!(call(&mut monitor, "MONITOR"), "+OK\\r\\n");
    // What it calls itself it is shown behind the reply; what is refused it is not.
    let refused = "-ERR Replica can't interact with the keyspace\\r\\n";
    for command in ["GET k", "SET k v", "DBSIZE", "PUBLISH c m", "EVAL x 0", "FCALL f 0", "BLPOP k 0"] {
        assert_eq!(call(&mut monitor, command), refused, "{command}");
    }
    assert_eq!(call(&mut monitor, "GET"), "-ERR wrong number of arguments for 'get' command\\r\\n");
    let mut shown = |command: &str, reply: &str| {
        assert_eq!(call(&mut monitor, command), reply);
        let line = escape(&monitor.read().expect("a line").0);
        assert!(line.contains(command), "{line}");
    };
    shown("PING", "+PONG\\r\\n");
    shown("MULTI", "+OK\\r\\n");
    assert_eq!(call(&mut monitor, "GET k"), refused);
    assert_eq!(call(&mut monitor, "EXEC"), "-EXECABORT Transaction discarded because of previous errors.\\r\\n");
    monitor.read().expect("a line");
    // No pause holds it back, but for RESET it is a client like any other.
    assert_eq!(call(&mut other, "CLIENT PAUSE 100000 WRITE"), "+OK\\r\\n");
    assert_eq!(call(&mut monitor, "SET k v"), refused);
    assert_eq!(call(&mut other, "CLIENT UNPAUSE"), "+OK\\r\\n");
    assert_eq!(call(&mut monitor, "RESET"), "+RESET\\r\\n");
    assert_eq!(last(&mut monitor, &["SET k v", "GET k"]), "$1\\r\\nv\\r\\n");
}
