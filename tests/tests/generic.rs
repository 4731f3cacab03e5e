//! Commands about keys of any type.

use std::collections::HashSet;

use harness::{Connection, Server, call, converse, server_under_test};

fn start() -> (Server, Connection) {
    let server = Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), &[]).unwrap();
    let connection = server.connect().unwrap();
    (server, connection)
}

#[test]
fn expiries_obey_their_conditions() {
    let (_server, mut connection) = start();
    converse(
        &mut connection,
        &[
            ("SET k v", r"+OK\r\n"),
            ("EXPIRE k 100 XX", r":0\r\n"),
            ("EXPIRE k 100 GT", r":0\r\n"),
            ("EXPIRE k 100 LT", r":1\r\n"),
            ("EXPIRE k 200 NX", r":0\r\n"),
            ("EXPIRE k 50 gt", r":0\r\n"),
            ("EXPIRE k 200 XX GT", r":1\r\n"),
            ("TTL k", r":200\r\n"),
            ("PERSIST k", r":1\r\n"),
            ("PERSIST k", r":0\r\n"),
            ("TTL k", r":-1\r\n"),
            ("TTL none", r":-2\r\n"),
            ("EXPIRE k 1 NX LT", r"-ERR NX and XX, GT or LT options at the same time are not compatible\r\n"),
            ("EXPIRE k 1 LT GT", r"-ERR GT and LT options at the same time are not compatible\r\n"),
            ("EXPIRE none x MAYBE", r"-ERR Unsupported option MAYBE\r\n"),
            ("EXPIRE k 9223372036854775807", r"-ERR invalid expire time in \'expire\' command\r\n"),
            ("PEXPIRE k 9223372036854775807", r"-ERR invalid expire time in \'pexpire\' command\r\n"),
            ("PEXPIREAT k 9223372036854775807", r":1\r\n"),
            ("PEXPIRETIME k", r":9223372036854775807\r\n"),
            ("EXPIREAT k 1", r":1\r\n"),
            ("EXISTS k", r":0\r\n"),
        ],
    );
}

#[test]
fn keys_move_between_names_and_databases() {
    let (_server, mut connection) = start();
    converse(
        &mut connection,
        &[
            ("SET a 1 EX 100", r"+OK\r\n"),
            ("SET b 2", r"+OK\r\n"),
            ("RENAMENX a b", r":0\r\n"),
            ("RENAME a b", r"+OK\r\n"),
            ("TTL b", r":100\r\n"),
            ("RENAME a b", r"-ERR no such key\r\n"),
            ("RENAMENX b b", r":0\r\n"),
            ("COPY b b", r"-ERR source and destination objects are the same\r\n"),
            ("COPY b b DB 1", r":1\r\n"),
            ("COPY b b DB 1", r":0\r\n"),
            ("COPY b b REPLACE DB 1", r":1\r\n"),
            ("COPY b b DB 16", r"-ERR DB index is out of range\r\n"),
            ("MOVE b 1", r":0\r\n"),
            ("MOVE b 2", r":1\r\n"),
            ("EXISTS b", r":0\r\n"),
            ("SELECT 2", r"+OK\r\n"),
            ("TTL b", r":100\r\n"),
            ("UNLINK b b", r":1\r\n"),
        ],
    );
}

#[test]
fn scan_returns_every_key_once_however_it_is_asked() {
    let (_server, mut connection) = start();
    const KEYS: usize = 3000;
    for number in 0..KEYS {
        let (key, value) = (format!("key:{number}"), "v");
        connection.send(&["SET", key.as_str(), value]).unwrap();
    }
    (0..KEYS).for_each(|_| assert_eq!(connection.read().unwrap().payload(), b"OK"));
    let cases: [(&[&str], usize); 5] = [
        (&[], KEYS),
        (&["COUNT", "1"], KEYS),
        (&["COUNT", "100000"], KEYS),
        (&["MATCH", "key:*7", "TYPE", "string"], KEYS / 10),
        (&["TYPE", "list"], 0),
    ];
    for (options, expected) in cases {
        let mut found = Vec::new();
        let mut cursor = b"0".to_vec();
        loop {
            let mut request: Vec<&[u8]> = vec![b"SCAN", &cursor];
            request.extend(options.iter().map(|option| option.as_bytes()));
            let page = connection.call(&request).unwrap().elements();
            found.extend(page[1].elements().iter().map(|key| key.payload().to_vec()));
            cursor = page[0].payload().to_vec();
            if cursor == b"0" {
                break;
            }
        }
        assert_eq!(found.len(), expected, "{options:?}");
        assert_eq!(found.iter().collect::<HashSet<_>>().len(), expected, "{options:?}");
    }
}

#[test]
fn a_pattern_that_fits_one_name_only_is_looked_up_at_once() {
    let (_server, mut connection) = start();
    for number in 0..2000 {
        connection.call(&["SET", &format!("key:{number}"), "v"]).unwrap();
    }
    call(&mut connection, "RPUSH key:list a");
    call(&mut connection, "CONFIG RESETSTAT");
    for (request, reply) in [
        ("SCAN 0 MATCH key:77 COUNT 1", r"*2\r\n$1\r\n0\r\n*1\r\n$6\r\nkey:77\r\n"),
        ("SCAN 5 MATCH key:77", r"*2\r\n$1\r\n0\r\n*1\r\n$6\r\nkey:77\r\n"),
        ("SCAN 0 MATCH key:list TYPE list", r"*2\r\n$1\r\n0\r\n*1\r\n$8\r\nkey:list\r\n"),
        ("SCAN 0 MATCH key:list TYPE string", r"*2\r\n$1\r\n0\r\n*0\r\n"),
        ("SCAN 0 MATCH key:2000", r"*2\r\n$1\r\n0\r\n*0\r\n"),
    ] {
        assert_eq!(call(&mut connection, request), reply, "{request}");
    }
    let stats = call(&mut connection, "INFO stats");
    assert!(stats.contains("keyspace_hits:0") && stats.contains("keyspace_misses:0"), "{stats}");
}

#[test]
fn scan_keeps_its_promise_while_the_table_grows_and_shrinks() {
    let (_server, mut connection) = start();
    let set = |connection: &mut Connection, key: &str| {
        assert_eq!(connection.call(&["SET", key, "v"]).unwrap().payload(), b"OK");
    };
    (0..500).for_each(|number| set(&mut connection, &format!("stay:{number}")));
    let mut seen = HashSet::new();
    let (mut cursor, mut round) = (b"0".to_vec(), 0);
    loop {
        let page = connection.call(&[b"SCAN", cursor.as_slice(), b"COUNT", b"5"]).unwrap().elements();
        seen.extend(page[1].elements().iter().map(|key| key.payload().to_vec()));
        cursor = page[0].payload().to_vec();
        if cursor == b"0" {
            break;
        }
        // First many keys come, then they go.
        for number in 0..200 {
            let key = format!("come:{}:{number}", round % 20);
            if round < 20 {
                set(&mut connection, &key);
            } else {
                connection.call(&["DEL", &key]).unwrap();
            }
        }
        round += 1;
    }
    assert_eq!(seen.iter().filter(|key| key.starts_with(b"stay:")).count(), 500);
}

#[test]
fn waiting_for_replicas_ends_with_the_time() {
    let (_server, mut connection) = start();
    converse(
        &mut connection,
        &[
            ("WAIT 0 0", r":0\r\n"),
            ("WAIT 1 20", r":0\r\n"),
            ("WAITAOF 0 1 20", r"*2\r\n:0\r\n:0\r\n"),
            ("WAIT 1 -1", r"-ERR timeout is negative\r\n"),
            ("WAITAOF 1 0 0", r"-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n"),
        ],
    );
}

#[test]
fn encodings_are_those_of_redis() {
    let (_server, mut connection) = start();
    let long = "x".repeat(44);
    for (value, encoding) in [("12", "int"), ("012", "embstr"), (&long, "embstr"), (&(long.clone() + "x"), "raw")] {
        connection.call(&["SET", "k", value]).unwrap();
        assert_eq!(connection.call(&["OBJECT", "ENCODING", "k"]).unwrap().payload(), encoding.as_bytes(), "{value}");
    }
}
