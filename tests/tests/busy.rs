//! What clients get while a script takes long, whatever state they are in and whose worker it holds.

use std::io::{Read, Write};
use std::thread;

use harness::http::HttpConnection;
use harness::{Connection, Server, ServerBuilder, call, converse, server_under_test};

const BUSY: &str = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\\r\\n";
const BUSY_EXEC: &str = "-EXECABORT Transaction discarded because of: BUSY Redis is busy running a script. You can \
                         only call SCRIPT KILL or SHUTDOWN NOSAVE.\\r\\n";
const BROKEN: &str = "-EXECABORT Transaction discarded because of previous errors.\\r\\n";
const ENDLESS: &str = "while true do end";

fn start(workers: &str) -> Server {
    let args = ["--io-threads", workers, "--busy-reply-threshold", "50"];
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    ServerBuilder::new(binary).free_port("http-port").args(args).start().expect("the server starts")
}

fn connect(server: &Server) -> Connection {
    server.connect().expect("a connection")
}

/// A client whose script does not end, which `watcher` has found out.
fn begin_slow_script(server: &Server, watcher: &mut Connection<impl Read + Write>) -> Connection {
    let mut slow = connect(server);
    slow.send(&["EVAL", ENDLESS, "0"]).expect("sent");
    while call(watcher, "GET w") != BUSY {
        thread::yield_now();
    }
    slow
}

fn end_slow_script(killer: &mut Connection<impl Read + Write>, mut slow: Connection) {
    assert_eq!(call(killer, "SCRIPT KILL"), "+OK\\r\\n");
    let reply = slow.read().expect("a reply").0;
    assert!(reply.starts_with(b"-ERR Script killed by user with SCRIPT KILL"), "{}", reply.escape_ascii());
}

/// With one worker, the script keeps all clients from it.
fn with_one_worker_and_with_several(test: impl Fn(&str)) {
    ["1", "3"].into_iter().for_each(test);
}

#[test]
fn transactions_are_broken_and_aborted() {
    with_one_worker_and_with_several(|workers| {
        let server = start(workers);
        let mut clients: [Connection; 5] = std::array::from_fn(|_| connect(&server));
        for client in &mut clients {
            converse(client, &[("WATCH w", "+OK\\r\\n"), ("MULTI", "+OK\\r\\n"), ("INCR n", "+QUEUED\\r\\n")]);
        }
        let mut watcher = connect(&server);
        let slow = begin_slow_script(&server, &mut watcher);
        let [queues, executes, discards, begins, waits] = &mut clients;
        converse(
            queues,
            &[
                ("INCR n", BUSY),
                ("SCRIPT KILL NOW", "-ERR wrong number of arguments for \\'script|kill\\' command\\r\\n"),
            ],
        );
        converse(executes, &[("EXEC", BUSY_EXEC), ("DISCARD", "-ERR DISCARD without MULTI\\r\\n")]);
        converse(discards, &[("DISCARD", "+OK\\r\\n"), ("UNWATCH", "+OK\\r\\n"), ("EXEC", BUSY_EXEC)]);
        converse(
            begins,
            &[("RESET", "+RESET\\r\\n"), ("MULTI", "+OK\\r\\n"), ("MULTI", "-ERR MULTI calls can not be nested\\r\\n")],
        );
        // What ends the script only ends it when it is carried out, and EXEC is not.
        converse(begins, &[("SCRIPT KILL", "+QUEUED\\r\\n"), ("EXEC", BUSY_EXEC), ("PING", BUSY)]);
        end_slow_script(&mut watcher, slow);
        converse(queues, &[("EXEC", BROKEN), ("GET n", "$-1\\r\\n")]);
        converse(executes, &[("EXEC", "-ERR EXEC without MULTI\\r\\n")]);
        // Who did nothing meanwhile is as before.
        converse(waits, &[("EXEC", "*1\\r\\n:1\\r\\n")]);
    });
}

#[test]
fn a_pipelined_transaction_has_nothing_carried_out() {
    with_one_worker_and_with_several(|workers| {
        let server = start(workers);
        let (mut client, mut watcher) = (connect(&server), connect(&server));
        call(&mut client, "PING");
        let slow = begin_slow_script(&server, &mut watcher);
        for command in ["MULTI", "INCR n", "INCR n", "EXEC", "INCR n"] {
            client.send(&command.split(' ').collect::<Vec<_>>()).expect("sent");
        }
        for expected in ["+OK\\r\\n", BUSY, BUSY, BUSY_EXEC, BUSY] {
            assert_eq!(client.read().expect("a reply").0.escape_ascii().to_string(), expected);
        }
        end_slow_script(&mut client, slow);
        assert_eq!(call(&mut watcher, "GET n"), "$-1\\r\\n");
    });
}

#[test]
fn logging_in_and_listening_are_as_ever() {
    with_one_worker_and_with_several(|workers| {
        let server = start(workers);
        let (mut watcher, mut listener) = (connect(&server), connect(&server));
        call(&mut listener, "SUBSCRIBE c");
        let mut poor = connect(&server);
        converse(
            &mut watcher,
            &[
                ("ACL SETUSER poor on nopass ~* +@all -script|kill", "+OK\\r\\n"),
                ("CONFIG SET requirepass secret", "+OK\\r\\n"),
                ("AUTH secret", "+OK\\r\\n"),
            ],
        );
        let (mut slow, mut stranger) = (connect(&server), connect(&server));
        converse(&mut slow, &[("AUTH secret", "+OK\\r\\n")]);
        assert!(call(&mut stranger, "PING").starts_with("-NOAUTH "));
        slow.send(&["EVAL", ENDLESS, "0"]).expect("sent");
        while call(&mut watcher, "GET w") != BUSY {
            thread::yield_now();
        }
        let no_auth = "-NOAUTH Authentication required.\\r\\n";
        let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\\r\\n";
        converse(
            &mut stranger,
            &[
                ("GET k", no_auth),
                ("SCRIPT KILL", no_auth),
                ("AUTH no", wrong),
                ("AUTH secret", "+OK\\r\\n"),
                ("GET k", BUSY),
            ],
        );
        converse(&mut poor, &[("AUTH poor x", "+OK\\r\\n"), ("GET k", BUSY)]);
        assert!(call(&mut poor, "SCRIPT KILL").starts_with("-NOPERM User poor has no permissions"));
        let listens = "-ERR Can\\'t execute \\'get\\': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
                       allowed in this context\\r\\n";
        converse(&mut listener, &[("GET k", listens), ("PING", BUSY), ("UNSUBSCRIBE", BUSY), ("QUIT", "+OK\\r\\n")]);
        end_slow_script(&mut stranger, slow);
        assert_eq!(call(&mut poor, "GET k"), "$-1\\r\\n");
    });
}

#[test]
fn who_leaves_while_he_watches_or_waits_keeps_nobody_waiting() {
    // Both workers have a client that comes and one that goes.
    let server = start("2");
    let mut leaving: Vec<Connection> = (0..6).map(|_| connect(&server)).collect();
    let mut staying: Vec<Connection> = (0..4).map(|_| connect(&server)).collect();
    for (index, client) in leaving.iter_mut().enumerate() {
        match index / 2 {
            0 => drop(call(client, "WATCH k")),
            1 => client.send(&["BLPOP", "k", "0"]).expect("sent"),
            _ => client.send(&["BLPOP", "k", "0.2"]).expect("sent"),
        }
    }
    staying.iter_mut().for_each(|client| drop(call(client, "WATCH k")));
    while !call(&mut staying[0], "INFO clients").contains("blocked_clients:4\\r") {
        thread::yield_now();
    }
    let mut watcher = connect(&server);
    let slow = begin_slow_script(&server, &mut watcher);
    let late = leaving.split_off(4);
    drop(leaving);
    for client in &mut staying {
        converse(client, &[("GET k", BUSY), ("UNWATCH", "+OK\\r\\n"), ("GET k", BUSY)]);
    }
    end_slow_script(&mut watcher, slow);
    for mut client in late {
        assert_eq!(client.read().expect("a reply").0, b"*-1\r\n");
    }
    while !call(&mut watcher, "INFO clients").contains("total_watched_keys:0\\r") {
        thread::yield_now();
    }
    converse(&mut watcher, &[("RPUSH k v", ":1\\r\\n"), ("LLEN k", ":1\\r\\n")]);
}

#[test]
fn a_slow_function_is_ended_as_a_function() {
    with_one_worker_and_with_several(|workers| {
        let server = start(workers);
        let (mut slow, mut other) = (connect(&server), connect(&server));
        let library = "#!lua name=lib\nredis.register_function('f', function() while true do end end)";
        slow.call(&["FUNCTION", "LOAD", library]).expect("a reply");
        call(&mut other, "MULTI");
        slow.send(&["FCALL", "f", "0"]).expect("sent");
        let busy = BUSY.replace("SCRIPT KILL", "FUNCTION KILL");
        let mut watcher = connect(&server);
        while call(&mut watcher, "PING") != busy {
            thread::yield_now();
        }
        converse(&mut other, &[("GET k", &busy), ("DISCARD", "+OK\\r\\n"), ("SCRIPT KILL", &busy)]);
        assert!(call(&mut other, "FUNCTION STATS").contains("duration_ms"));
        assert_eq!(call(&mut other, "SHUTDOWN ABORT"), "-ERR No shutdown in progress.\\r\\n");
        assert_eq!(call(&mut other, "FUNCTION KILL"), "+OK\\r\\n");
        let reply = slow.read().expect("a reply").0;
        assert!(reply.starts_with(b"-ERR Script killed by user with SCRIPT KILL"), "{}", reply.escape_ascii());
    });
}

#[test]
fn over_http_one_is_told_and_can_end_it() {
    with_one_worker_and_with_several(|workers| {
        let server = start(workers);
        let mut watcher = connect(&server);
        let open = || HttpConnection::open(server.port_of("http-port")).expect("a connection");
        let mut clients: [HttpConnection; 4] = std::array::from_fn(|_| open());
        for http in &mut clients {
            assert_eq!(http.call("GET", "/set/k/v", &[], b"").expect("an answer").text(), r#"{"result":"OK"}"#);
        }
        let [asks, sends_many, sends_slowly, ends] = &mut clients;
        sends_slowly.send_bytes(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Le").expect("sent");
        let slow = begin_slow_script(&server, &mut watcher);
        let busy = r#"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."#;
        let call = |http: &mut HttpConnection, method, target, body: &str| {
            let answer = http.call(method, target, &[], body.as_bytes()).expect("an answer");
            (answer.status, answer.text())
        };
        assert_eq!(call(asks, "GET", "/healthz", "").0, 200);
        assert_eq!(call(asks, "GET", "/get/k", ""), (400, format!(r#"{{"error":"{busy}"}}"#)));
        assert_eq!(call(asks, "GET", "/metrics", ""), (503, format!(r#"{{"error":"{busy}"}}"#)));
        let (status, each) = call(sends_many, "POST", "/pipeline", r#"[["GET","k"],["PING"]]"#);
        assert_eq!((status, each), (200, format!(r#"[{{"error":"{busy}"}},{{"error":"{busy}"}}]"#)));
        sends_slowly.send_bytes(b"ngth: 11\r\n\r\n[\"GET\"").expect("sent");
        sends_slowly.send_bytes(b",\"k\"]").expect("sent");
        let answer = sends_slowly.read().expect("an answer");
        assert_eq!((answer.status, answer.text()), (400, format!(r#"{{"error":"{busy}"}}"#)));
        // Who comes now is told as well.
        assert_eq!(call(&mut open(), "GET", "/get/k", ""), (400, format!(r#"{{"error":"{busy}"}}"#)));
        assert_eq!(call(ends, "POST", "/", r#"["SCRIPT","KILL"]"#), (200, r#"{"result":"OK"}"#.to_owned()));
        let mut slow = slow;
        assert!(slow.read().expect("a reply").0.starts_with(b"-ERR Script killed by user"));
        for http in &mut clients {
            assert_eq!(call(http, "GET", "/get/k", ""), (200, r#"{"result":"v"}"#.to_owned()));
        }
    });
}
