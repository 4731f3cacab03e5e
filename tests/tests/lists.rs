//! Lists: what a Redis 8.0 to compare with does not have, and how they are kept.

use harness::{Connection, Server, server_under_test};

fn start() -> (Server, Connection) {
    let server = Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), &[]).unwrap();
    let connection = server.connect().unwrap();
    (server, connection)
}

/// A reply in short: elements in brackets, errors and strings as they are.
fn short(reply: &harness::Reply) -> String {
    if reply.0.starts_with(b"*-1") || reply.0.starts_with(b"_") {
        return "nothing".into();
    }
    if reply.0.starts_with(b"*") {
        let elements: Vec<String> = reply.elements().iter().map(short).collect();
        return format!("[{}]", elements.join(" "));
    }
    String::from_utf8_lossy(reply.payload()).into_owned()
}

fn call(connection: &mut Connection, command: &str) -> String {
    let args: Vec<&str> = command.split(' ').collect();
    short(&connection.call(&args).unwrap())
}

/// Sends each command and compares its reply.
fn converse(connection: &mut Connection, lines: &[(&str, &str)]) {
    for (command, expected) in lines {
        assert_eq!(call(connection, command), *expected, "{command}");
    }
}

#[test]
fn lmovem_keeps_or_turns_the_order() {
    let (_server, mut connection) = start();
    for (how, answer, source, destination) in [
        ("LEFT LEFT COUNT 2 OBO", "[b a]", "[c d]", "[b a x y]"),
        ("LEFT RIGHT COUNT 2 OBO", "[a b]", "[c d]", "[x y a b]"),
        ("RIGHT LEFT COUNT 2 OBO", "[c d]", "[a b]", "[c d x y]"),
        ("RIGHT RIGHT COUNT 2 OBO", "[d c]", "[a b]", "[x y d c]"),
        ("LEFT LEFT COUNT 2 BULK", "[a b]", "[c d]", "[a b x y]"),
        ("LEFT RIGHT EXACTLY 2 BULK", "[a b]", "[c d]", "[x y a b]"),
        ("RIGHT LEFT EXACTLY 2 BULK", "[c d]", "[a b]", "[c d x y]"),
        ("RIGHT RIGHT EXACTLY 2 BULK", "[c d]", "[a b]", "[x y c d]"),
        ("LEFT RIGHT", "[a]", "[b c d]", "[x y a]"),
        ("LEFT RIGHT COUNT 100 BULK", "[a b c d]", "[]", "[x y a b c d]"),
        ("LEFT RIGHT EXACTLY 5 BULK", "nothing", "[a b c d]", "[x y]"),
    ] {
        call(&mut connection, "DEL src dst");
        call(&mut connection, "RPUSH src a b c d");
        call(&mut connection, "RPUSH dst x y");
        assert_eq!(call(&mut connection, &format!("LMOVEM src dst {how}")), answer, "{how}");
        assert_eq!(call(&mut connection, "LRANGE src 0 -1"), source, "{how}");
        assert_eq!(call(&mut connection, "LRANGE dst 0 -1"), destination, "{how}");
    }
    for (how, answer, after) in [
        ("LEFT LEFT COUNT 2 OBO", "[b a]", "[b a c d]"),
        ("LEFT LEFT COUNT 2 BULK", "[a b]", "[a b c d]"),
        ("LEFT RIGHT COUNT 2 BULK", "[a b]", "[c d a b]"),
        ("RIGHT LEFT COUNT 9 OBO", "[a b c d]", "[a b c d]"),
    ] {
        call(&mut connection, "DEL k");
        call(&mut connection, "RPUSH k a b c d");
        assert_eq!(call(&mut connection, &format!("LMOVEM k k {how}")), answer, "{how}");
        assert_eq!(call(&mut connection, "LRANGE k 0 -1"), after, "{how}");
    }
}

#[test]
fn lmovem_refuses() {
    let (_server, mut connection) = start();
    const COUNT: &str = "ERR count should be greater than 0";
    const SYNTAX: &str = "ERR syntax error";
    const TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
    converse(
        &mut connection,
        &[
            ("RPUSH list a b", "2"),
            ("SET text x", "OK"),
            ("LMOVEM list to LEFT", "ERR wrong number of arguments for 'lmovem' command"),
            ("LMOVEM list to LEFT RIGHT COUNT 2", SYNTAX),
            ("LMOVEM list to LEFT RIGHT COUNT 2 OBO more", SYNTAX),
            ("LMOVEM list to LEFT RIGHT bad 2 OBO", SYNTAX),
            ("LMOVEM list to LEFT RIGHT COUNT 2 bad", SYNTAX),
            ("LMOVEM list to bad RIGHT", SYNTAX),
            ("LMOVEM list to LEFT bad COUNT 2 OBO", SYNTAX),
            ("LMOVEM list to LEFT RIGHT COUNT 0 BULK", COUNT),
            ("LMOVEM list to LEFT RIGHT EXACTLY -1 BULK", COUNT),
            ("LMOVEM list to LEFT RIGHT COUNT a BULK", COUNT),
            ("LMOVEM text to LEFT RIGHT", TYPE),
            ("LMOVEM list text LEFT RIGHT COUNT 2 BULK", TYPE),
            // What does not move hurts nothing.
            ("LMOVEM list text LEFT RIGHT EXACTLY 3 BULK", "nothing"),
            ("LMOVEM none text LEFT RIGHT", "nothing"),
            ("LMOVEM none to LEFT RIGHT COUNT 5 BULK", "nothing"),
            ("BLMOVEM list to LEFT RIGHT -1 COUNT 2 BULK", "ERR timeout is negative"),
            ("BLMOVEM list to LEFT RIGHT 0 COUNT 2", SYNTAX),
            ("BLMOVEM none to LEFT RIGHT 0.01 EXACTLY 2 BULK", "nothing"),
            ("BLMOVEM list to LEFT RIGHT 0 COUNT 9 BULK", "[a b]"),
            ("EXISTS list text to", "2"),
        ],
    );
}
