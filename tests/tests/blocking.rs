//! Clients that wait for data: first come first served, whatever becomes of them meanwhile, and nothing is lost.

use std::collections::HashSet;
use std::thread;

use harness::{Connection, Server, server_under_test};

fn start() -> Server {
    Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), &[]).expect("the server starts")
}

fn connect(server: &Server) -> Connection {
    server.connect().expect("a connection")
}

/// A reply's text, elements of arrays joined by spaces.
fn text(reply: &harness::Reply) -> String {
    let elements = reply.elements();
    if elements.is_empty() {
        return String::from_utf8_lossy(reply.payload()).into_owned();
    }
    elements.iter().map(text).collect::<Vec<_>>().join(" ")
}

fn call(connection: &mut Connection, words: &str) -> String {
    let request: Vec<&str> = words.split(' ').collect();
    text(&connection.call(&request).expect("a reply"))
}

/// Sends a command whose reply comes later, and comes back when the server has put so many clients to wait.
fn wait_with(server: &Server, words: &str, waiting: usize) -> Connection {
    let mut connection = connect(server);
    let request: Vec<&str> = words.split(' ').collect();
    connection.send_bytes(&harness::encode(&request)).expect("sent");
    until_waiting(server, waiting);
    connection
}

fn until_waiting(server: &Server, waiting: usize) {
    let wanted = format!("blocked_clients:{waiting}\r\n");
    let mut observer = connect(server);
    while !call(&mut observer, "INFO clients").contains(&wanted) {
        thread::yield_now();
    }
}

fn answer(connection: &mut Connection) -> String {
    text(&connection.read().expect("a reply"))
}

#[test]
fn first_come_first_served() {
    let server = start();
    let mut waiting: Vec<Connection> = (1..=3).map(|number| wait_with(&server, "BLPOP list other 0", number)).collect();
    let mut producer = connect(&server);
    assert_eq!(call(&mut producer, "RPUSH list a b"), "2");
    assert_eq!(answer(&mut waiting[0]), "list a");
    assert_eq!(answer(&mut waiting[1]), "list b");
    assert_eq!(call(&mut producer, "EXISTS list"), "0");
    assert_eq!(call(&mut producer, "LPUSH other c"), "1");
    assert_eq!(answer(&mut waiting[2]), "other c");
    until_waiting(&server, 0);
    assert!(call(&mut producer, "INFO clients").contains("total_blocking_keys:0\r\n"));
}

#[test]
fn replies_that_are_off_are_off_for_who_has_waited() {
    let server = start();
    let mut producer = connect(&server);
    // What waits, and what ends it; PING ends nothing, the time does.
    let cases = [
        ("BLPOP list 0", "RPUSH list x"),
        ("BZPOPMIN zset 0", "ZADD zset 1 x"),
        ("BLMOVE list list LEFT LEFT 0", "RPUSH list x"),
        ("XREAD BLOCK 0 STREAMS stream $", "XADD stream * f v"),
        ("BLPOP list 0", "CLIENT UNBLOCK ID"),
        ("BLPOP list 0", "CLIENT UNBLOCK ID ERROR"),
        ("XREADGROUP GROUP g c BLOCK 0 STREAMS stream >", "XGROUP DESTROY stream g"),
        ("WAIT 1 0", "CLIENT UNBLOCK ID"),
        ("BLPOP list 0.001", "PING"),
        ("BZPOPMIN none 0.001", "PING"),
        ("XREAD BLOCK 1 STREAMS stream $", "PING"),
        ("WAIT 1 1", "PING"),
    ];
    for (waits, ends) in cases {
        for (mode, behind) in [("OFF", &["OK", "y"][..]), ("SKIP", &["x", "OK", "y"])] {
            call(&mut producer, "DEL list zset stream");
            call(&mut producer, "XGROUP CREATE stream g $ MKSTREAM");
            let mut client = connect(&server);
            let ends = ends.replace("ID", &call(&mut client, "CLIENT ID"));
            for request in [&format!("CLIENT REPLY {mode}"), waits, "ECHO x", "CLIENT REPLY ON", "ECHO y"] {
                let request: Vec<&str> = request.split(' ').collect();
                client.send_bytes(&harness::encode(&request)).expect("sent");
            }
            if ends != "PING" {
                until_waiting(&server, 1);
            }
            call(&mut producer, &ends);
            for expected in behind {
                assert_eq!(answer(&mut client), *expected, "{mode}, {waits}, {ends}");
            }
        }
    }
}

#[test]
fn an_element_goes_through_a_chain_of_waiting_clients() {
    let server = start();
    let mut last = wait_with(&server, "BRPOP c 0", 1);
    let mut middle = wait_with(&server, "BLMOVE b c LEFT RIGHT 0", 2);
    let mut first = wait_with(&server, "BRPOPLPUSH a b 0", 3);
    assert_eq!(call(&mut connect(&server), "RPUSH a x"), "1");
    assert_eq!(answer(&mut first), "x");
    assert_eq!(answer(&mut middle), "x");
    assert_eq!(answer(&mut last), "c x");
    assert_eq!(call(&mut connect(&server), "DBSIZE"), "0");
}

#[test]
fn who_waits_for_several_elements_gets_all_or_none() {
    let server = start();
    let mut many = wait_with(&server, "BLMOVEM src many LEFT RIGHT 0 EXACTLY 3 BULK", 1);
    let mut any = wait_with(&server, "BLMOVEM src any LEFT LEFT 0 COUNT 9 OBO", 2);
    let mut producer = connect(&server);
    // Too few for the one who came first, but not for the next.
    assert_eq!(call(&mut producer, "RPUSH src 1 2"), "2");
    assert_eq!(answer(&mut any), "2 1");
    assert_eq!(call(&mut producer, "RPUSH src 3 4"), "2");
    until_waiting(&server, 1);
    assert_eq!(call(&mut producer, "LINSERT src AFTER 3 x"), "3");
    assert_eq!(answer(&mut many), "3 x 4");
    assert_eq!(call(&mut producer, "LRANGE many 0 -1"), "3 x 4");
    assert_eq!(call(&mut producer, "EXISTS src"), "0");
}

#[test]
fn other_types_are_passed_over_and_errors_are_told() {
    let server = start();
    let mut list = wait_with(&server, "BLPOP k 0", 1);
    let mut zset = wait_with(&server, "BZPOPMAX k 0", 2);
    let mut mover = wait_with(&server, "BLMOVE from text LEFT LEFT 0", 3);
    let mut producer = connect(&server);
    assert_eq!(call(&mut producer, "ZADD k 1 one 2 two"), "2");
    assert_eq!(answer(&mut zset), "k two 2");
    assert_eq!(call(&mut producer, "SET k text"), "OK");
    assert_eq!(call(&mut producer, "DEL k"), "1");
    assert_eq!(call(&mut producer, "RPUSH source a b"), "2");
    assert_eq!(call(&mut producer, "RENAME source k"), "OK");
    assert_eq!(answer(&mut list), "k a");
    assert_eq!(call(&mut producer, "SET text x"), "OK");
    assert_eq!(call(&mut producer, "RPUSH from y"), "1");
    assert!(answer(&mut mover).starts_with("WRONGTYPE"));
    assert_eq!(call(&mut producer, "LRANGE from 0 -1"), "y");
}

#[test]
fn waits_end_by_time_by_others_and_by_leaving() {
    let server = start();
    let mut control = connect(&server);
    assert_eq!(call(&mut control, "BLPOP nothing 0.01"), "-1");
    assert_eq!(call(&mut control, "BLMPOP 0.01 2 a b RIGHT COUNT 3"), "-1");
    assert_eq!(call(&mut control, "BZMPOP 0.01 1 a MIN"), "-1");
    let mut client = connect(&server);
    for (how, expected) in [("TIMEOUT", "-1"), ("ERROR", "UNBLOCKED client unblocked via CLIENT UNBLOCK")] {
        let id = call(&mut client, "CLIENT ID");
        client.send_bytes(&harness::encode(&["BLPOP", "k", "0"])).expect("sent");
        until_waiting(&server, 1);
        assert_eq!(call(&mut control, &format!("CLIENT UNBLOCK {id} {how}")), "1");
        assert_eq!(answer(&mut client), expected);
    }
    // One leaves while it waits: what comes later is for the next one.
    let leaving = wait_with(&server, "BLPOP k 0", 1);
    let mut staying = wait_with(&server, "BLPOP k 0", 2);
    drop(leaving);
    until_waiting(&server, 1);
    assert_eq!(call(&mut control, "RPUSH k a"), "1");
    assert_eq!(answer(&mut staying), "k a");
    // Requests sent ahead are carried out when the wait is over, in their order.
    let mut client = wait_with(&server, "BLPOP k 0", 1);
    client.send_bytes(&harness::encode(&["PING"])).expect("sent");
    assert_eq!(call(&mut control, "RPUSH k b"), "1");
    assert_eq!(answer(&mut client), "k b");
    assert_eq!(answer(&mut client), "PONG");
}

#[test]
fn every_element_goes_to_one_consumer() {
    const PRODUCERS: usize = 100;
    const CONSUMERS: usize = 100;
    const EACH: usize = 100;
    let server = start();
    let keys = ["q1", "q2", "q3", "q4"];
    let mut taken = thread::scope(|scope| {
        let consumers: Vec<_> = (0..CONSUMERS)
            .map(|number| {
                let server = &server;
                scope.spawn(move || {
                    let mut connection = connect(server);
                    let mut taken = Vec::new();
                    for turn in 0..PRODUCERS * EACH / CONSUMERS {
                        let from = (number + turn) % keys.len();
                        let order: Vec<&str> = keys.iter().cycle().skip(from).take(keys.len()).copied().collect();
                        let order = order.join(" ");
                        let reply = match turn % 3 {
                            0 => call(&mut connection, &format!("BLPOP {order} 0")),
                            1 => call(&mut connection, &format!("BRPOP {order} 0")),
                            _ => call(&mut connection, &format!("BLMPOP 0 {} {order} LEFT", keys.len())),
                        };
                        taken.push(reply.rsplit(' ').next().unwrap_or_default().to_string());
                    }
                    taken
                })
            })
            .collect();
        for number in 0..PRODUCERS {
            let server = &server;
            scope.spawn(move || {
                let mut connection = connect(server);
                for turn in 0..EACH {
                    let key = keys[(number + turn) % keys.len()];
                    call(&mut connection, &format!("RPUSH {key} {number}:{turn}"));
                }
            });
        }
        consumers.into_iter().flat_map(|consumer| consumer.join().expect("a consumer")).collect::<Vec<_>>()
    });
    assert_eq!(taken.len(), PRODUCERS * EACH);
    taken.sort();
    taken.dedup();
    let expected: HashSet<String> =
        (0..PRODUCERS).flat_map(|number| (0..EACH).map(move |turn| format!("{number}:{turn}"))).collect();
    assert_eq!(taken.into_iter().collect::<HashSet<_>>(), expected);
    assert_eq!(call(&mut connect(&server), "DBSIZE"), "0");
}

/// Sends requests in one go, and returns the replies.
fn pipeline(connection: &mut Connection, requests: &[&str]) -> Vec<String> {
    let bytes: Vec<u8> =
        requests.iter().flat_map(|words| harness::encode(&words.split(' ').collect::<Vec<_>>())).collect();
    connection.send_bytes(&bytes).expect("sent");
    requests.iter().map(|_| answer(connection)).collect()
}

/// As [`wait_with`], and the client's id.
fn known_wait_with(server: &Server, words: &str, waiting: usize) -> (Connection, String) {
    let mut connection = connect(server);
    let id = call(&mut connection, "CLIENT ID");
    connection.send_bytes(&harness::encode(&words.split(' ').collect::<Vec<_>>())).expect("sent");
    until_waiting(server, waiting);
    (connection, id)
}

#[test]
fn who_was_killed_gets_nothing() {
    let server = start();
    let mut control = connect(&server);
    let (_killed, id) = known_wait_with(&server, "BLPOP k 0", 1);
    let kill = format!("CLIENT KILL ID {id}");
    assert_eq!(pipeline(&mut control, &[&kill, "RPUSH k v", "LLEN k"]), ["1", "1", "1"]);
    until_waiting(&server, 0);
    call(&mut control, "DEL k");
    let (_killed, id) = known_wait_with(&server, "BLPOP k 0", 1);
    let kill = format!("CLIENT KILL ID {id}");
    let replies = pipeline(&mut control, &["MULTI", "RPUSH k v", &kill, "EXEC", "LLEN k"]);
    assert_eq!(replies[3..], ["1 1", "1"]);
    until_waiting(&server, 0);
    call(&mut control, "XGROUP CREATE s g $ MKSTREAM");
    let (_killed, id) = known_wait_with(&server, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >", 1);
    let kill = format!("CLIENT KILL ID {id}");
    let replies = pipeline(&mut control, &[&kill, "XADD s 1-1 f v", "XPENDING s g - + 10"]);
    assert_eq!(replies, ["1", "1-1", "0"]);
    until_waiting(&server, 0);
}

#[test]
fn who_was_unblocked_gets_nothing() {
    let server = start();
    let mut control = connect(&server);
    for (how, expected) in [("ERROR", "UNBLOCKED client unblocked via CLIENT UNBLOCK"), ("TIMEOUT", "-1")] {
        let (mut client, id) = known_wait_with(&server, "BLPOP k 0", 1);
        let unblock = format!("CLIENT UNBLOCK {id} {how}");
        let replies = pipeline(&mut control, &[&unblock, &unblock, "RPUSH k v", "LPOP k"]);
        assert_eq!(replies, ["1", "0", "1", "v"]);
        assert_eq!(answer(&mut client), expected);
        // Nothing of that is left for the next wait.
        client.send_bytes(&harness::encode(&["BLPOP", "k", "0"])).expect("sent");
        until_waiting(&server, 1);
        assert_eq!(pipeline(&mut control, &["RPUSH k w", &unblock]), ["1", "0"]);
        assert_eq!(answer(&mut client), "k w");
        let replies = pipeline(&mut control, &["MULTI", "RPUSH k v", &unblock, "EXEC", "LPOP k"]);
        assert_eq!(replies[3..], ["1 0", "v"]);
        until_waiting(&server, 0);
    }
}

#[test]
fn who_sent_much_ahead_is_seen_leaving() {
    let server = start();
    let mut leaving = wait_with(&server, "BLPOP k 0", 1);
    let big = "x".repeat(3 << 20);
    leaving.send_bytes(&harness::encode(&["ECHO", &big])).expect("sent");
    drop(leaving);
    until_waiting(&server, 0);
    let mut control = connect(&server);
    assert_eq!(pipeline(&mut control, &["RPUSH k v", "LLEN k"]), ["1", "1"]);
    // And what was sent ahead by one who stays is carried out.
    let mut staying = wait_with(&server, "BLPOP other 0", 1);
    staying.send_bytes(&harness::encode(&["ECHO", &big])).expect("sent");
    call(&mut control, "RPUSH other v");
    assert_eq!(answer(&mut staying), "other v");
    assert_eq!(answer(&mut staying).len(), big.len());
}

#[test]
fn only_a_value_of_the_right_type_serves() {
    let server = start();
    let mut first = wait_with(&server, "BLPOP k2 0", 1);
    let mut second = wait_with(&server, "BLPOP k2 k4 0", 2);
    let mut control = connect(&server);
    let replies = pipeline(&mut control, &["MULTI", "ZADD k4 1 x", "RPUSH k2 v", "EXEC", "DEL k4"]);
    assert_eq!(replies[3], "1 1");
    assert_eq!(answer(&mut first), "k2 v");
    call(&mut control, "RPUSH k4 w");
    assert_eq!(answer(&mut second), "k4 w");
    // Waiting for different types under one name, all get theirs, in their order.
    let mut zset = wait_with(&server, "BZPOPMIN k 0", 1);
    let mut list = wait_with(&server, "BLPOP k 0", 2);
    let mut stream = wait_with(&server, "XREAD BLOCK 0 STREAMS k 0", 3);
    let mut next = wait_with(&server, "BLPOP k 0", 4);
    call(&mut control, "RPUSH k a b");
    assert_eq!(answer(&mut list), "k a");
    assert_eq!(answer(&mut next), "k b");
    call(&mut control, "ZADD k 1 m");
    assert_eq!(answer(&mut zset), "k m 1");
    call(&mut control, "XADD k 1-1 f v");
    assert_eq!(answer(&mut stream), "k 1-1 f v");
    until_waiting(&server, 0);
}

#[test]
fn readers_of_groups_hear_of_what_concerns_them() {
    let server = start();
    let mut control = connect(&server);
    let read = "XREADGROUP GROUP g c BLOCK 0 STREAMS s >";
    let gone = ["DEL s", "XGROUP DESTROY s g", "SET s text", "RENAME s other", "FLUSHDB"];
    for (end, error) in gone.iter().zip(["NOGROUP", "NOGROUP", "WRONGTYPE", "NOGROUP", "NOGROUP"]) {
        call(&mut control, "FLUSHALL");
        call(&mut control, "XGROUP CREATE s g $ MKSTREAM");
        let mut reader = wait_with(&server, read, 1);
        // None of these wakes it.
        let idle =
            ["XADD s 1-1 f v", "XDEL s 1-1", "XTRIM s MAXLEN 0", "EXPIRE s 100", "PERSIST s", "XGROUP SETID s g $"];
        let quiet = &idle[1..];
        let mut also = wait_with(&server, "XREADGROUP GROUP g d BLOCK 0 STREAMS s >", 2);
        call(&mut control, idle[0]);
        assert_eq!(answer(&mut reader), "s 1-1 f v");
        pipeline(&mut control, quiet);
        until_waiting(&server, 1);
        call(&mut control, end);
        let told = answer(&mut also);
        assert!(told.starts_with(error), "{end}: {told}");
    }
}

#[test]
fn a_reader_of_several_streams_gets_all_or_an_error() {
    let server = start();
    let mut control = connect(&server);
    for key in ["{s}1", "{s}2"] {
        call(&mut control, &format!("XGROUP CREATE {key} g $ MKSTREAM"));
    }
    let mut reader = wait_with(&server, "XREADGROUP GROUP g c BLOCK 0 STREAMS {s}1 {s}2 > >", 1);
    let replies = pipeline(
        &mut control,
        &["MULTI", "XADD {s}1 1-1 f v", "XGROUP DESTROY {s}2 g", "EXEC", "XPENDING {s}1 g - + 9"],
    );
    assert_eq!(replies[3..], ["1-1 1", "0"]);
    assert!(answer(&mut reader).starts_with("NOGROUP"));
}

#[test]
fn many_who_wait_cost_nothing_for_what_does_not_concern_them() {
    const WAITING: usize = 300;
    let server = start();
    let mut control = connect(&server);
    call(&mut control, "XGROUP CREATE s g $ MKSTREAM");
    let connections: Vec<Connection> = (0..WAITING)
        .map(|number| {
            let mut connection = connect(&server);
            let request = match number % 2 {
                0 => vec!["XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s", ">"],
                _ => vec!["BZPOPMIN", "k", "0"],
            };
            connection.send_bytes(&harness::encode(&request)).expect("sent");
            connection
        })
        .collect();
    until_waiting(&server, WAITING);
    let seen = call(&mut control, "XINFO CONSUMERS s g");
    let idle = |text: &str| text.split(' ').nth(5).and_then(|idle| idle.parse::<u64>().ok()).expect("a number");
    thread::sleep(std::time::Duration::from_millis(20));
    for _ in 0..100 {
        pipeline(&mut control, &["XADD other * f v", "XDEL s 1-1", "RPUSH k v", "LPOP k", "EXPIRE s 100", "PERSIST s"]);
    }
    // A mere look at the stream is not the consumer's.
    assert!(idle(&call(&mut control, "XINFO CONSUMERS s g")) >= idle(&seen) + 20);
    drop(connections);
}
