//! Streams and their groups: what the comparison with Redis 8.0 does not reach, because it waits, or is newer.

use std::thread;

use harness::{Connection, Server, escape, server_under_test};

fn start() -> Server {
    let args = ["--io-threads", "4", "--enable-debug-command", "yes"];
    Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), &args).expect("the server starts")
}

fn connect(server: &Server) -> Connection {
    server.connect().expect("a connection")
}

fn call(connection: &mut Connection, words: &str) -> String {
    let request: Vec<&str> = words.split(' ').collect();
    text(&connection.call(&request).expect("a reply"))
}

/// A reply's text, with brackets around arrays.
fn text(reply: &harness::Reply) -> String {
    if matches!(reply.kind(), b'*' | b'%') && !reply.0.starts_with(b"*-1") {
        return format!("[{}]", reply.elements().iter().map(text).collect::<Vec<_>>().join(" "));
    }
    if reply.0.starts_with(b"*-1") || reply.0.starts_with(b"$-1") {
        return "nil".into();
    }
    escape(reply.payload())
}

fn all(connection: &mut Connection, commands: &[&str]) {
    commands.iter().for_each(|command| drop(call(connection, command)));
}

/// Sends a command whose reply comes later, and comes back when so many clients wait.
fn wait_with(server: &Server, words: &str, waiting: usize) -> Connection {
    let mut connection = connect(server);
    connection.send(&words.split(' ').collect::<Vec<_>>()).expect("sent");
    let wanted = format!("blocked_clients:{waiting}\\r");
    let mut observer = connect(server);
    while !call(&mut observer, "INFO clients").contains(&wanted) {
        thread::yield_now();
    }
    connection
}

fn answer(connection: &mut Connection) -> String {
    text(&connection.read().expect("a reply"))
}

#[test]
fn readers_wait_for_entries() {
    let server = start();
    let mut client = connect(&server);
    call(&mut client, "XADD s 1-0 a 1");
    let mut newest = wait_with(&server, "XREAD BLOCK 0 STREAMS other s $ $", 1);
    let mut later = wait_with(&server, "XREAD COUNT 1 BLOCK 0 STREAMS s 2", 2);
    call(&mut client, "XADD s 2-0 b 2");
    assert_eq!(answer(&mut newest), "[[s [[2-0 [b 2]]]]]");
    // Both entries of a transaction are there when the reader is served.
    all(&mut client, &["MULTI", "XADD s 3-0 c 3", "XADD s 4-0 d 4", "EXEC"]);
    assert_eq!(answer(&mut later), "[[s [[3-0 [c 3]]]]]");
    // Nothing else than an entry wakes.
    let mut last = wait_with(&server, "XREAD BLOCK 0 STREAMS t 0", 1);
    all(&mut client, &["SET t x", "DEL t", "XGROUP CREATE t g 0 MKSTREAM", "XADD t 1-1 a 1"]);
    assert_eq!(answer(&mut last), "[[t [[1-1 [a 1]]]]]");
}

#[test]
fn the_entries_of_a_group_are_shared_out_in_turn() {
    let server = start();
    let mut client = connect(&server);
    call(&mut client, "XGROUP CREATE s g $ MKSTREAM");
    let read = |consumer| format!("XREADGROUP GROUP g {consumer} COUNT 1 BLOCK 0 STREAMS s >");
    let mut consumers: Vec<Connection> =
        (1..=3).map(|number| wait_with(&server, &read(format!("c{number}")), number)).collect();
    for number in 1..=3 {
        call(&mut client, &format!("XADD s {number}-0 n {number}"));
    }
    for (number, consumer) in (1..).zip(&mut consumers) {
        assert_eq!(answer(consumer), format!("[[s [[{number}-0 [n {number}]]]]]"));
    }
    assert_eq!(call(&mut client, "XPENDING s g"), "[3 1-0 3-0 [[c1 1] [c2 1] [c3 1]]]");
}

#[test]
fn a_consumer_hears_when_its_group_or_stream_goes() {
    let server = start();
    let mut client = connect(&server);
    let no_group = "NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";
    let wrong_type = "WRONGTYPE Operation against a key holding the wrong kind of value";
    let cases = [
        ("XGROUP DESTROY s g", no_group),
        ("DEL s", no_group),
        ("FLUSHALL", no_group),
        ("RENAME s other", no_group),
        ("SET s x", wrong_type),
    ];
    for (ends, expected) in cases {
        all(&mut client, &["FLUSHALL", "XGROUP CREATE s g $ MKSTREAM"]);
        let mut consumer = wait_with(&server, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >", 1);
        call(&mut client, ends);
        assert_eq!(answer(&mut consumer), expected, "{ends}");
    }
}

#[test]
fn every_entry_goes_to_one_consumer() {
    const PRODUCERS: usize = 8;
    const ENTRIES: usize = 300;
    let server = start();
    call(&mut connect(&server), "XGROUP CREATE s g $ MKSTREAM");
    thread::scope(|scope| {
        for number in 0..PRODUCERS {
            let (mut producer, mut consumer) = (connect(&server), connect(&server));
            scope.spawn(move || {
                for entry in 0..ENTRIES {
                    call(&mut producer, &format!("XADD s * producer {number} entry {entry}"));
                }
            });
            scope.spawn(move || {
                for _ in 0..ENTRIES {
                    let read = format!("XREADGROUP GROUP g c{number} COUNT 1 BLOCK 0 STREAMS s >");
                    let reply = consumer.call(&read.split(' ').collect::<Vec<_>>()).expect("a reply");
                    let entries = reply.elements()[0].elements()[1].elements();
                    let id = String::from_utf8_lossy(entries[0].elements()[0].payload()).into_owned();
                    assert_eq!(call(&mut consumer, &format!("XACK s g {id}")), "1");
                }
            });
        }
    });
    let mut client = connect(&server);
    assert_eq!(call(&mut client, "XLEN s"), (PRODUCERS * ENTRIES).to_string());
    assert_eq!(call(&mut client, "XPENDING s g"), "[0 nil nil nil]");
    assert!(call(&mut client, "XINFO GROUPS s").contains(&format!("entries-read {} lag 0", PRODUCERS * ENTRIES)));
}

/// Six entries: the first two acknowledged by both groups, the third pending in one, the fourth not read by one.
fn two_groups(client: &mut Connection) {
    all(client, &["FLUSHALL", "XGROUP CREATE s g 0 MKSTREAM", "XGROUP CREATE s h 0"]);
    (1..=6).for_each(|number| drop(call(client, &format!("XADD s {number}-0 n {number}"))));
    all(client, &["XREADGROUP GROUP g c COUNT 4 STREAMS s >", "XREADGROUP GROUP h d COUNT 3 STREAMS s >"]);
    all(client, &["XACK s g 1 2 4", "XACK s h 1 2 3"]);
}

#[test]
fn deleting_minds_what_groups_refer_to() {
    let server = start();
    let mut client = connect(&server);
    let pending = |client: &mut Connection| call(client, "XPENDING s g - + 10").contains("3-0");
    two_groups(&mut client);
    assert_eq!(call(&mut client, "XDELEX s ACKED IDS 5 1 3 4 5 9"), "[1 2 2 2 -1]");
    assert_eq!(call(&mut client, "XDELEX s IDS 1 3"), "[1]");
    assert!(pending(&mut client));
    two_groups(&mut client);
    assert_eq!(call(&mut client, "XDELEX s IDS 1 3 DELREF"), "[1]");
    assert!(!pending(&mut client));
    assert_eq!(call(&mut client, "XDELEX none IDS 2 1 2"), "[-1 -1]");

    two_groups(&mut client);
    assert_eq!(call(&mut client, "XACKDEL s g ACKED IDS 2 3 4"), "[1 -1]");
    assert_eq!(call(&mut client, "XLEN s"), "5");
    all(&mut client, &["XREADGROUP GROUP g c STREAMS s >", "XREADGROUP GROUP h d STREAMS s >"]);
    // Acknowledged, but still needed by the other group.
    assert_eq!(call(&mut client, "XACKDEL s g ACKED IDS 1 5"), "[2]");
    assert_eq!(call(&mut client, "XACKDEL s g DELREF IDS 1 6"), "[1]");
    assert_eq!(call(&mut client, "XPENDING s h"), "[2 4-0 5-0 [[d 2]]]");
    assert_eq!(call(&mut client, "XACKDEL s nogroup IDS 1 1"), "[-1]");
}

#[test]
fn trimming_minds_what_groups_refer_to() {
    let server = start();
    let mut client = connect(&server);
    two_groups(&mut client);
    assert_eq!(call(&mut client, "XTRIM s MAXLEN 0 ACKED"), "2");
    assert_eq!(call(&mut client, "XTRIM s MAXLEN 3 DELREF"), "1");
    assert_eq!(call(&mut client, "XPENDING s g"), "[0 nil nil nil]");
    two_groups(&mut client);
    assert_eq!(call(&mut client, "XADD s DELREF MAXLEN 1 7-0 n 7"), "7-0");
    assert_eq!(
        (call(&mut client, "XLEN s"), call(&mut client, "XPENDING s g")),
        ("1".into(), "[0 nil nil nil]".into())
    );
}

#[test]
fn the_ids_of_a_deletion_are_checked_before_anything_is_deleted() {
    let server = start();
    let mut client = connect(&server);
    two_groups(&mut client);
    let cases = [
        ("XDELEX s IDS 0 1", "ERR Number of IDs must be a positive integer"),
        ("XDELEX s IDS x 1", "ERR Number of IDs must be a positive integer"),
        ("XDELEX s IDS 3 1 2", "ERR The `numids` parameter must match the number of arguments"),
        ("XDELEX s IDS 1 1 2", "ERR syntax error"),
        ("XDELEX s ACKED DELREF IDS 1 1", "ERR syntax error"),
        ("XDELEX s ACKED KEEPREF DELREF", "ERR syntax error"),
        ("XDELEX s IDS 2 1 x", "ERR Invalid stream ID specified as stream command argument"),
        ("XACKDEL s g IDS 2 1 -", "ERR Invalid stream ID specified as stream command argument"),
        ("XACKDEL s g ACKED 1 1", "ERR syntax error"),
        ("XNACK s g MAYBE IDS 1 1", "ERR mode must be SILENT, FAIL, or FATAL"),
        ("XNACK s g FAIL 1 1 1", "ERR syntax error, expected IDS keyword"),
        ("XNACK s g FAIL IDS 0 1", "ERR numids must be a positive integer"),
        ("XNACK s g FAIL IDS 3 1", "ERR number of IDs doesn't match numids"),
        ("XNACK s g FAIL IDS 1 1 RETRYCOUNT -1", "ERR Invalid RETRYCOUNT value, must be >= 0"),
        ("XNACK s g FAIL IDS 1 1 MORE", "ERR Unrecognized XNACK option 'MORE'"),
        ("XNACK s nogroup FAIL IDS 1 1", "NOGROUP No such key 's' or consumer group 'nogroup'"),
    ];
    for (command, expected) in cases {
        assert_eq!(call(&mut client, command), expected, "{command}");
    }
    assert_eq!(call(&mut client, "XLEN s"), "6");
}

#[test]
fn released_entries_are_for_whoever_claims_next() {
    let server = start();
    let mut client = connect(&server);
    all(&mut client, &["XGROUP CREATE s g 0 MKSTREAM", "XADD s 1-0 n 1", "XADD s 2-0 n 2", "XADD s 3-0 n 3"]);
    call(&mut client, "XREADGROUP GROUP g c STREAMS s >");
    assert_eq!(call(&mut client, "XNACK s g SILENT IDS 2 1 9"), "1");
    assert_eq!(call(&mut client, "XNACK s g FATAL IDS 1 2"), "1");
    assert_eq!(call(&mut client, "XNACK s g FAIL IDS 1 3 RETRYCOUNT 7"), "1");
    let list = call(&mut client, "XPENDING s g - + 10");
    assert_eq!(list, "[[1-0  -1 0] [2-0  -1 9223372036854775807] [3-0  -1 7]]");
    assert_eq!(call(&mut client, "XPENDING s g"), "[3 1-0 3-0 []]");
    assert_eq!(call(&mut client, "XPENDING s g - + 10 c"), "[]");
    // However long an entry must have been idle, one that was given back is there.
    assert_eq!(call(&mut client, "XAUTOCLAIM s g d 100000 0 COUNT 1"), "[2-0 [[1-0 [n 1]]] []]");
    assert_eq!(call(&mut client, "XCLAIM s g d 100000 3 JUSTID"), "[3-0]");
    assert_eq!(
        call(&mut client, "XREADGROUP GROUP g e CLAIM 100000 STREAMS s >"),
        "[[s [[2-0 [n 2] -1 9223372036854775807]]]]"
    );
    assert_eq!(call(&mut client, "XPENDING s g"), "[3 1-0 3-0 [[d 2] [e 1]]]");
    assert_eq!(call(&mut client, "XACK s g 1 2 3"), "3");
    assert_eq!(call(&mut client, "XNACK s g FAIL IDS 2 1 8 FORCE"), "1");
    assert_eq!(call(&mut client, "XPENDING s g - + 10"), "[[1-0  -1 0]]");
}

#[test]
fn what_is_claimed_by_force_counts_as_delivered_before() {
    let server = start();
    let mut client = connect(&server);
    all(&mut client, &["XADD s 1 a b", "XADD s 2 a b", "XGROUP CREATE s g 0"]);
    call(&mut client, "XCLAIM s g c 0 1 FORCE");
    call(&mut client, "XCLAIM s g c 0 2 FORCE JUSTID");
    assert_eq!(call(&mut client, "XCLAIM s g c 0 1 JUSTID"), "[1-0]");
    for (id, deliveries) in [("1", ",2]]"), ("2", ",1]]")] {
        let pending = call(&mut client, &format!("XPENDING s g {id} {id} 1"));
        assert!(pending.replace(' ', ",").ends_with(deliveries), "{pending}");
    }
}

#[test]
fn a_reader_claims_what_others_have_left() {
    let server = start();
    let mut client = connect(&server);
    all(&mut client, &["XGROUP CREATE s g 0 MKSTREAM", "XADD s 1-0 n 1", "XADD s 2-0 n 2", "XADD s 3-0 n 3"]);
    call(&mut client, "XREADGROUP GROUP g c COUNT 2 STREAMS s >");
    // Nothing is idle for so long: only what is new.
    let reply = call(&mut client, "XREADGROUP GROUP g d CLAIM 100000 STREAMS s >");
    assert_eq!(reply, "[[s [[3-0 [n 3] 0 0]]]]");
    call(&mut client, "XCLAIM s g c 0 1 IDLE 5000 JUSTID");
    call(&mut client, "XCLAIM s g c 0 2 IDLE 9000 JUSTID");
    call(&mut client, "XADD s 4-0 n 4");
    let reply = call(&mut client, "XREADGROUP GROUP g d COUNT 3 CLAIM 4000 STREAMS s >");
    assert!(reply.contains("2-0 [n 2] 9") && reply.contains("4-0 [n 4] 0 0"), "{reply}");
    let at = |id: &str| reply.find(id).expect("an entry");
    assert!(at("2-0") < at("1-0") && at("1-0") < at("4-0"), "the longest idle first: {reply}");
    assert_eq!(call(&mut client, "XPENDING s g"), "[4 1-0 4-0 [[d 4]]]");
    let wrong = call(&mut client, "XREADGROUP GROUP g d CLAIM -1 STREAMS s >");
    assert_eq!(wrong, "ERR min-idle-time must be a positive integer");
    assert_eq!(call(&mut client, "XREADGROUP GROUP g d CLAIM 5 STREAMS s 9"), "[[s []]]");
}

#[test]
fn an_entry_that_becomes_idle_wakes_who_waits_to_claim_it() {
    let server = start();
    let mut client = connect(&server);
    all(&mut client, &["XGROUP CREATE s g 0 MKSTREAM", "XADD s 1-0 n 1"]);
    call(&mut client, "XREADGROUP GROUP g c STREAMS s >");
    // Nobody does anything: it is time alone that brings the entry.
    let mut reader = connect(&server);
    assert!(call(&mut reader, "XREADGROUP GROUP g d BLOCK 0 CLAIM 150 STREAMS s >").starts_with("[[s [[1-0 [n 1] "));
    let mut waiting = wait_with(&server, "XREADGROUP GROUP g e BLOCK 0 CLAIM 100000 STREAMS s >", 1);
    call(&mut client, "XNACK s g FAIL IDS 1 1");
    assert_eq!(answer(&mut waiting), "[[s [[1-0 [n 1] -1 2]]]]");
    assert_eq!(call(&mut reader, "XREADGROUP GROUP g e BLOCK 30 CLAIM 100000 STREAMS s >"), "nil");
}
