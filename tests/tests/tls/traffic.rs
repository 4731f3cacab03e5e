//! Over TLS all is as without it: much data, clients that do not read, waiting, messages.

use std::io::{Read, Write};
use std::thread;

use harness::{Connection, call, encode, tls};
use rustls::version::{TLS12, TLS13};

use super::{Secured, ask};

const BIG: usize = 20 << 20;

/// Bytes that do not repeat soon.
fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Comes back when a line of CLIENT LIST about a client says something of it.
fn until_client(watcher: &mut Connection<impl Read + Write>, id: i64, holds: impl Fn(&str) -> bool) {
    while !holds(&call(watcher, &format!("CLIENT LIST ID {id}"))) {
        thread::yield_now();
    }
}

fn id_of(client: &mut Connection<impl Read + Write>) -> i64 {
    client.call(&["CLIENT", "ID"]).unwrap().integer().unwrap()
}

/// A number in a line of CLIENT LIST.
fn field(line: &str, name: &str) -> usize {
    let (_, rest) = line.split_once(&format!(" {name}=")).unwrap_or_default();
    rest.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[test]
fn big_values_and_long_pipelines() {
    let secured = Secured::start(&["--tls-auth-clients", "no"]);
    for version in [&TLS12, &TLS13] {
        let mut client = tls::connect(secured.port, &secured.unknown(&[version])).unwrap();
        let value = noise(BIG);
        assert_eq!(client.call(&[b"SET".as_slice(), b"big", &value]).unwrap().payload(), b"OK");
        assert!(client.call(&["GET", "big"]).unwrap().payload() == value);
        let count = 20_000;
        let requests: Vec<u8> = (0..count).flat_map(|index| encode(&["ECHO", &format!("{index:0>50}")])).collect();
        client.send_bytes(&requests).unwrap();
        for index in 0..count {
            assert_eq!(client.read().unwrap().payload(), format!("{index:0>50}").as_bytes());
        }
        // Replies that are much longer than their requests, and all sizes around those of TLS's records.
        let sizes: Vec<usize> = (1..200).map(|index| index * 331).chain(16_300..16_420).collect();
        let requests: Vec<u8> =
            sizes.iter().flat_map(|size| encode(&["GETRANGE", "big", "0", &(size - 1).to_string()])).collect();
        client.send_bytes(&requests[..]).unwrap();
        for size in sizes {
            assert!(client.read().unwrap().payload() == &value[..size], "{size}");
        }
    }
}

#[test]
fn nothing_is_lost_to_a_client_that_reads_late() {
    let secured = Secured::start(&[]);
    let mut watcher = secured.connect();
    let mut client = secured.connect();
    let value = noise(BIG);
    client.call(&[b"SET".as_slice(), b"big", &value]).unwrap();
    let id = id_of(&mut client);
    let times = 5;
    for _ in 0..times {
        client.send(&["GET", "big"]).unwrap();
    }
    client.send(&["QUIT"]).unwrap();
    // The output is with the server, which has no more to do until somebody reads.
    until_client(&mut watcher, id, |line| field(line, "omem") > 0);
    assert_eq!(ask(&mut watcher, "PING").unwrap(), "PONG");
    for _ in 0..times {
        assert!(client.read().unwrap().payload() == value);
    }
    assert_eq!(client.read().unwrap().payload(), b"OK");
    assert_eq!(client.read_to_close().unwrap(), b"");
}

#[test]
fn a_client_that_never_reads_is_closed_at_its_limit() {
    let secured = Secured::start(&["--client-output-buffer-limit", "normal 30mb 0 0"]);
    let mut watcher = secured.connect();
    let mut client = secured.connect();
    client.call(&[b"SET".as_slice(), b"big", &noise(BIG)]).unwrap();
    let id = id_of(&mut client);
    client.send_bytes(&encode(&["GET", "big"]).repeat(10)).unwrap();
    until_client(&mut watcher, id, |line| !line.contains("id="));
    let info = ask(&mut watcher, "INFO stats").unwrap();
    assert!(info.contains("client_output_buffer_limit_disconnections:1\r\n"), "{info}");
}

#[test]
fn messages_waits_and_ends() {
    let secured = Secured::start(&[]);
    let (mut one, mut other) = (secured.connect(), secured.connect());
    assert_eq!(call(&mut one, "SUBSCRIBE news"), "*3\\r\\n$9\\r\\nsubscribe\\r\\n$4\\r\\nnews\\r\\n:1\\r\\n");
    let long = "x".repeat(100_000);
    for text in ["short", &long] {
        assert_eq!(other.call(&["PUBLISH", "news", text]).unwrap().integer(), Some(1));
        assert_eq!(one.read().unwrap().elements()[2].payload(), text.as_bytes());
    }
    assert!(call(&mut one, "UNSUBSCRIBE news").ends_with(":0\\r\\n"));

    let id = id_of(&mut one);
    one.send(&["BLPOP", "queue", "0"]).unwrap();
    until_client(&mut other, id, |line| line.contains(" flags=b "));
    assert_eq!(other.call(&["RPUSH", "queue", "a"]).unwrap().integer(), Some(1));
    assert_eq!(one.read().unwrap().elements()[1].payload(), b"a");

    assert_eq!(ask(&mut one, "MONITOR").unwrap(), "OK");
    assert_eq!(ask(&mut other, "GET seen").unwrap(), "-1");
    let line = one.read().unwrap();
    assert!(line.payload().ends_with(b"] \"GET\" \"seen\""), "{line:?}");

    assert_eq!(ask(&mut other, &format!("CLIENT KILL ID {id}")).unwrap(), "1");
    // What it was still sent is before the end.
    one.read_to_close().unwrap();
    let id = id_of(&mut other);
    other.send(&["CLIENT", "KILL", "ID", &id.to_string(), "SKIPME", "no"]).unwrap();
    assert_eq!(other.read_to_close().unwrap(), b":1\r\n", "its own end comes behind the reply");

    // A client that waits and goes away is noticed.
    let (mut waits, mut watcher) = (secured.connect(), secured.connect());
    let id = id_of(&mut waits);
    waits.send(&["BLPOP", "queue", "0"]).unwrap();
    until_client(&mut watcher, id, |line| line.contains(" flags=b "));
    drop(waits);
    until_client(&mut watcher, id, |line| !line.contains("id="));
    assert_eq!(watcher.call(&["RPUSH", "queue", "b"]).unwrap().integer(), Some(1));
    assert_eq!(ask(&mut watcher, "LPOP queue").unwrap(), "b");
}

#[test]
fn writers_and_readers_cross() {
    // Both sides write more than sockets hold before they read: each has to do the one while it cannot do the other.
    let secured = Secured::start(&["--tls-auth-clients", "no"]);
    let mut client = tls::connect(secured.port, &secured.unknown(&[&TLS13])).unwrap();
    let value = noise(3000);
    client.call(&[b"SET".as_slice(), b"key", &value]).unwrap();
    let count = 3000;
    let ask = [encode(&["GET", "key"]), encode(&[b"ECHO".as_slice(), &value])].concat();
    let mut sent = 0;
    for _ in 0..count {
        client.send_bytes(&ask).unwrap();
        sent += 2;
        // Now and then some of it is read.
        if sent % 200 == 0 {
            for _ in 0..150 {
                assert!(client.read().unwrap().payload() == value);
            }
            sent -= 150;
        }
    }
    for _ in 0..sent {
        assert!(client.read().unwrap().payload() == value);
    }
}

#[test]
fn a_slow_script_is_told_of_and_can_be_ended() {
    let secured = Secured::start(&["--tls-auth-clients", "no", "--io-threads", "1", "--busy-reply-threshold", "50"]);
    for version in [&TLS12, &TLS13] {
        let config = secured.unknown(&[version]);
        let mut clients: Vec<_> = (0..3).map(|_| tls::connect(secured.port, &config).unwrap()).collect();
        clients.iter_mut().for_each(|client| assert_eq!(ask(client, "MULTI").unwrap(), "OK"));
        let mut slow = secured.server.connect().unwrap();
        slow.send(&["EVAL", "while true do end", "0"]).unwrap();
        for client in &mut clients {
            while !ask(client, &format!("ECHO {}", "x".repeat(100_000))).unwrap().starts_with("BUSY ") {
                thread::yield_now();
            }
            assert!(ask(client, "EXEC").unwrap().starts_with("EXECABORT "));
        }
        assert_eq!(ask(&mut clients[0], "SCRIPT KILL").unwrap(), "OK");
        assert!(slow.read().unwrap().is_error());
        clients.iter_mut().for_each(|client| assert_eq!(ask(client, "PING").unwrap(), "PONG"));
    }
}
