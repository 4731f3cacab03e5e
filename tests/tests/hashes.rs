//! Hashes and the expiry of their fields.

use std::collections::HashSet;
use std::thread::sleep;
use std::time::Duration;

use harness::{Connection, Server, call, converse, server_under_test};

fn start() -> (Server, Connection) {
    let server = Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), &[]).unwrap();
    let connection = server.connect().unwrap();
    (server, connection)
}

#[test]
fn replies_are_maps_and_pairs_in_resp3() {
    let (_server, mut connection) = start();
    converse(
        &mut connection,
        &[
            ("HSET h a 1 b x", r":2\r\n"),
            ("HGETALL h", r"*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\nx\r\n"),
            ("HRANDFIELD h 5 WITHVALUES", r"*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\nx\r\n"),
            ("HGETALL none", r"*0\r\n"),
            ("HRANDFIELD none", r"$-1\r\n"),
        ],
    );
    connection.call(&["HELLO", "3"]).unwrap();
    converse(
        &mut connection,
        &[
            ("HGETALL h", r"%2\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\nx\r\n"),
            ("HRANDFIELD h 5 WITHVALUES", r"*2\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$1\r\nb\r\n$1\r\nx\r\n"),
            ("HGETALL none", r"%0\r\n"),
            ("HRANDFIELD none", r"_\r\n"),
            ("HMGET h a c", r"*2\r\n$1\r\n1\r\n_\r\n"),
        ],
    );
}

#[test]
fn fields_expire_on_their_own() {
    let (_server, mut connection) = start();
    converse(
        &mut connection,
        &[
            ("HSET h stays 1 goes 2 later 3", r":3\r\n"),
            ("HPEXPIRE h 20 FIELDS 1 goes", r"*1\r\n:1\r\n"),
            ("HEXPIRE h 1000 FIELDS 1 later", r"*1\r\n:1\r\n"),
            ("OBJECT ENCODING h", r"$10\r\nlistpackex\r\n"),
        ],
    );
    sleep(Duration::from_millis(40));
    converse(
        &mut connection,
        &[
            ("HMGET h stays goes later", r"*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n3\r\n"),
            ("HLEN h", r":2\r\n"),
            ("HTTL h FIELDS 3 stays goes later", r"*3\r\n:-1\r\n:-2\r\n:1000\r\n"),
            // Setting a field anew takes its expiry off.
            ("HSET h later 4", r":0\r\n"),
            ("HTTL h FIELDS 1 later", r"*1\r\n:-1\r\n"),
        ],
    );
}

#[test]
fn a_hash_goes_with_its_last_field_without_being_asked_for() {
    let (_server, mut connection) = start();
    connection.call(&["CONFIG", "SET", "hash-max-listpack-entries", "100"]).unwrap();
    // One small hash, and one that is a table.
    for (key, count) in [("small", 3), ("big", 300)] {
        for number in 0..count {
            let field = format!("field:{number}");
            let request = ["HSETEX", key, "PX", "1000", "FIELDS", "1", &field, "value"];
            assert_eq!(connection.call(&request).unwrap().integer(), Some(1));
        }
    }
    assert_eq!(call(&mut connection, "OBJECT ENCODING big"), r"$9\r\nhashtable\r\n");
    let gone = (0..200).any(|_| {
        sleep(Duration::from_millis(20));
        call(&mut connection, "DBSIZE") == r":0\r\n"
    });
    assert!(gone, "nobody has touched the keys, but their fields are long over");
}

#[test]
fn expiries_move_with_the_hash() {
    let (_server, mut connection) = start();
    converse(
        &mut connection,
        &[
            ("HSETEX a PXAT 33177117420001 FIELDS 1 f v", r":1\r\n"),
            ("HSET a g w", r":1\r\n"),
            ("COPY a b", r":1\r\n"),
            ("RENAME a c", r"+OK\r\n"),
            ("HPEXPIRETIME b FIELDS 2 f g", r"*2\r\n:33177117420001\r\n:-1\r\n"),
            ("HEXPIRETIME c FIELDS 1 f", r"*1\r\n:33177117421\r\n"),
            ("HPERSIST b FIELDS 1 f", r"*1\r\n:1\r\n"),
            ("HPEXPIRETIME c FIELDS 1 f", r"*1\r\n:33177117420001\r\n"),
            ("HGETEX c PERSIST FIELDS 2 f none", r"*2\r\n$1\r\nv\r\n$-1\r\n"),
            ("HPEXPIRETIME c FIELDS 1 f", r"*1\r\n:-1\r\n"),
            ("HGETDEL c FIELDS 2 f g", r"*2\r\n$1\r\nv\r\n$1\r\nw\r\n"),
            ("EXISTS c", r":0\r\n"),
        ],
    );
}

#[test]
fn a_walk_over_a_hash_shows_every_field() {
    let (_server, mut connection) = start();
    const FIELDS: usize = 2000;
    for number in 0..FIELDS {
        connection.send(&["HSET", "h", &format!("field:{number}"), "value"]).unwrap();
    }
    (0..FIELDS).for_each(|_| assert_eq!(connection.read().unwrap().integer(), Some(1)));
    for (options, per_field, expected) in
        [(&[][..], 2, FIELDS), (&["NOVALUES", "COUNT", "100"], 1, FIELDS), (&["MATCH", "*7"], 2, FIELDS / 10)]
    {
        let (mut found, mut cursor) = (HashSet::new(), b"0".to_vec());
        loop {
            let mut request: Vec<&[u8]> = vec![b"HSCAN", b"h", &cursor];
            request.extend(options.iter().map(|option| option.as_bytes()));
            let page = connection.call(&request).unwrap().elements();
            let elements = page[1].elements();
            found.extend(elements.chunks(per_field).map(|field| field[0].payload().to_vec()));
            cursor = page[0].payload().to_vec();
            if cursor == b"0" {
                break;
            }
        }
        assert_eq!(found.len(), expected, "{options:?}");
    }
}

#[test]
fn random_fields_are_distinct_if_asked_for() {
    let (_server, mut connection) = start();
    for (key, fields) in [("small", 50), ("big", 1000)] {
        for number in 0..fields {
            connection.call(&["HSET", key, &number.to_string(), "value"]).unwrap();
        }
        for count in [1, 10, fields / 2, fields - 1, fields, fields * 3] {
            let picked = connection.call(&["HRANDFIELD", key, &count.to_string()]).unwrap().elements();
            let distinct: HashSet<_> = picked.iter().map(|field| field.payload().to_vec()).collect();
            assert_eq!((picked.len(), distinct.len()), (count.min(fields), count.min(fields)), "{count} of {fields}");
        }
        let picked = connection.call(&["HRANDFIELD", key, "-2000"]).unwrap().elements();
        assert_eq!(picked.len(), 2000);
    }
}

/// As with Redis 8.0.2, such a hash is a key until somebody looks inside, or the active cycle comes.
#[test]
fn a_hash_whose_fields_have_expired_is_still_a_key() {
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    let server = Server::start(binary, &["--enable-debug-command", "yes"]).expect("it starts");
    let mut client = server.connect().expect("a connection");
    converse(&mut client, &[("DEBUG SET-ACTIVE-EXPIRE 0", r"+OK\r\n")]);
    let now_us = |client: &mut Connection| {
        let time = client.call(&["TIME"]).expect("a reply").elements();
        let parts = time.iter().map(|part| String::from_utf8_lossy(part.payload()).parse::<u64>());
        parts.fold(0, |us, part| us * 1_000_000 + part.expect("a number"))
    };
    let looks = [
        ("KEYS *", r"*1\r\n$1\r\nh\r\n"),
        ("SCAN 0", r"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nh\r\n"),
        ("SCAN 0 MATCH h TYPE hash", r"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nh\r\n"),
        ("RANDOMKEY", r"$1\r\nh\r\n"),
        ("DBSIZE", r":1\r\n"),
        ("EXISTS h", r":1\r\n"),
        ("TYPE h", r"+hash\r\n"),
        ("TTL h", r":-1\r\n"),
        ("TOUCH h", r":1\r\n"),
        ("OBJECT ENCODING h", r"$10\r\nlistpackex\r\n"),
        ("SET h v NX", r"$-1\r\n"),
    ];
    let ends = [
        [("EXPIRE h 100", r":1\r\n"), ("PERSIST h", r":1\r\n"), ("DEL h", r":1\r\n")],
        [("COPY h copy", r":1\r\n"), ("RENAME copy other", r"+OK\r\n"), ("UNLINK h other", r":2\r\n")],
        [("HGET h f", r"$-1\r\n"), ("KEYS *", r"*0\r\n"), ("EXISTS h", r":0\r\n")],
        [("PEXPIRE h 100000", r":1\r\n"), ("HLEN h", r":0\r\n"), ("TYPE h", r"+none\r\n")],
        [("LPUSHX h v", r":0\r\n"), ("XADD h NOMKSTREAM * f v", r"$-1\r\n"), ("DBSIZE", r":0\r\n")],
    ];
    for end in ends {
        converse(&mut client, &[("HSET h f v", r":1\r\n"), ("HPEXPIRE h 1 FIELDS 1 f", r"*1\r\n:1\r\n")]);
        let set_us = now_us(&mut client);
        while now_us(&mut client) < set_us + 3000 {}
        converse(&mut client, &looks);
        converse(&mut client, &end);
    }
}
