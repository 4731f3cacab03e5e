//! Who speaks something else, or does not go on.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use harness::{Connection, seed, tls};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustls::ALL_VERSIONS;

use super::{Secured, ask};

fn open(secured: &Secured) -> Connection {
    Connection::open(("127.0.0.1", secured.port)).unwrap()
}

/// The beginning of what a client that speaks TLS says.
fn hello(secured: &Secured) -> Vec<u8> {
    let mut said = Vec::new();
    let config = secured.unknown(ALL_VERSIONS);
    let mut client = rustls::ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
    client.write_tls(&mut said).unwrap();
    said
}

#[test]
fn what_is_not_tls_is_answered_with_an_alert() {
    let secured = Secured::start(&[]);
    for bytes in [&b"PING\r\n"[..], b"*1\r\n$4\r\nPING\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut client = open(&secured);
        client.send_bytes(bytes).unwrap();
        let answer = client.read_to_close().unwrap();
        // A fatal alert of TLS 1.2.
        assert!(matches!(answer[..], [21, 3, 3, 0, 2, 2, _]), "{answer:?}");
    }
    let line = "Error accepting a client connection: received corrupt message of type InvalidContentType, the client may \
                not speak TLS (addr=127.0.0.1:";
    secured.until_log(line);
    let mut client = open(&secured);
    client.send_bytes(&hello(&secured)[..20]).unwrap();
    client.finish().unwrap();
    let line = "Error accepting a client connection: tls handshake eof (addr=127.0.0.1:";
    secured.until_log(line);
    secured.connect();
}

#[test]
fn any_bytes_do_no_harm() {
    let secured = Secured::start(&[]);
    let mut random = StdRng::seed_from_u64(seed("any_bytes_do_no_harm"));
    let hello = hello(&secured);
    for round in 0..300 {
        let mut bytes = hello.clone();
        match round % 3 {
            // One that is wrong somewhere.
            0 => (0..3).for_each(|_| {
                let at = random.random_range(0..bytes.len());
                bytes[at] = random.random();
            }),
            // One that goes on wrongly.
            1 => bytes.extend((0..100).map(|_| random.random::<u8>())),
            _ => bytes = (0..random.random_range(0..400)).map(|_| random.random()).collect(),
        }
        let mut client = open(&secured);
        // It may have been closed in the middle.
        let _ = client.send_bytes(&bytes);
        client.finish().unwrap();
    }
    let mut client = secured.connect();
    assert!(ask(&mut client, "INFO clients").unwrap().contains("connected_clients:1\r\n"));
    assert!(!secured.server.log().contains("BUG REPORT"), "{}", secured.server.log());
}

#[test]
fn who_does_not_go_on_has_a_place_for_a_while() {
    let secured = Secured::start(&["--maxclients", "4", "--timeout", "4"]);
    let hello = hello(&secured);
    let mut silent = open(&secured);
    let mut slow = open(&secured);
    slow.send_bytes(&hello[..hello.len() / 2]).unwrap();
    // Others are served meanwhile.
    let mut served = secured.connect();
    let mut plain = secured.server.connect().unwrap();
    assert_eq!(ask(&mut plain, "PING").unwrap(), "PONG");
    let refused = secured.server.connect().unwrap().read().unwrap();
    assert_eq!(refused.payload(), b"ERR max number of clients reached");
    assert_eq!(open(&secured).read_to_close().unwrap(), b"", "it could not be told in a way that it understands");
    let info = ask(&mut served, "INFO stats").unwrap();
    assert!(info.contains("rejected_connections:2\r\n"), "{info}");
    // They come to their end, while those who are served and say something do not.
    silent.read_to_close().unwrap();
    slow.read_to_close().unwrap();
    secured.until_log("no handshake within 4 seconds (addr=");
    drop(served);
    drop(plain);
    loop {
        match tls::connect(secured.port, &secured.known()).and_then(|mut client| ask(&mut client, "PING")) {
            Ok(pong) => break assert_eq!(pong, "PONG"),
            // The places of the others are free only once the server has seen them go.
            Err(_) => std::thread::yield_now(),
        }
    }
}

/// Sends one byte at a time.
struct Drip(TcpStream);

impl Read for Drip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = buffer.len().min(1);
        self.0.read(&mut buffer[..end])
    }
}

impl Write for Drip {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn one_byte_at_a_time_is_enough() {
    let secured = Secured::start(&[]);
    let socket = TcpStream::connect(("127.0.0.1", secured.port)).unwrap();
    socket.set_nodelay(true).unwrap();
    let mut client = tls::over(Drip(socket), &secured.known());
    for value in ["a", "b", "c"] {
        assert_eq!(ask(&mut client, &format!("SET key {value}")).unwrap(), "OK");
        assert_eq!(ask(&mut client, "GET key").unwrap(), value);
    }
}
