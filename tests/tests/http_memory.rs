//! What is held for clients of HTTP is their memory, as that of any client is.

use harness::http::{Answer, HttpConnection};
use harness::{Connection, Server, ServerBuilder, call, server_under_test};

const BASE64: &str = "Upstash-Encoding: base64";
const MB: usize = 1 << 20;

fn start(args: &[&str]) -> Server {
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    ServerBuilder::new(binary).free_port("http-port").args(args).start().expect("the server starts")
}

fn open(server: &Server) -> HttpConnection {
    HttpConnection::open(server.port_of("http-port")).expect("a connection")
}

/// A number out of `INFO`.
fn info(connection: &mut Connection, name: &str) -> usize {
    let info = call(connection, "INFO everything");
    let value = info.split(&format!(r"\n{name}:")).nth(1).and_then(|rest| rest.split(r"\r").next());
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} in {info}"))
}

/// A figure of all clients but the one who asks.
fn figures(connection: &mut Connection, name: &str) -> Vec<usize> {
    let (own, list) = (call(connection, "CLIENT ID"), call(connection, "CLIENT LIST"));
    let (own, figure) = (format!("id={} ", own.trim_matches(|c: char| !c.is_ascii_digit())), format!(" {name}="));
    let others = list.split(r"\n").filter(|line| !line.contains(&own));
    let values = others.filter_map(|line| line.split(&figure).nth(1));
    values.map(|rest| rest.split(' ').next().unwrap().parse().unwrap()).collect()
}

/// Clients who ask for a long value and do not read it.
fn slow_readers(server: &Server, count: usize, headers: &[&str]) -> Vec<(HttpConnection, Answer)> {
    let begin = |_| {
        let mut http = open(server);
        http.send("GET", "/get/long", headers, b"").unwrap();
        // It has begun to come.
        let head = http.read_head().unwrap();
        assert_eq!(head.status, 200);
        (http, head)
    };
    (0..count).map(begin).collect()
}

/// Clients who send some of a body and then no more.
fn slow_writers(server: &Server, count: usize, sent: usize) -> Vec<HttpConnection> {
    let begin = |_| {
        let mut http = open(server);
        let head = format!("POST /set/other HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", 2 * sent);
        // May be cut off meanwhile.
        let _ = http.send_bytes(&[head.into_bytes(), vec![b'x'; sent]].concat());
        http
    };
    (0..count).map(begin).collect()
}

/// Sixteen keys of a megabyte, a value of as many, and room for six times as much.
fn fill(connection: &mut Connection) {
    let value = vec![b'x'; MB];
    (0..16).for_each(|key| drop(connection.call(&[&b"SET"[..], format!("key:{key}").as_bytes(), &value]).unwrap()));
    connection.call(&[&b"SET"[..], b"long", &value.repeat(16)]).unwrap();
    let limit = info(connection, "used_memory") + 96 * MB;
    call(connection, &format!("CONFIG SET maxmemory-policy allkeys-lru maxmemory {limit}"));
}

#[test]
fn what_waits_for_a_client_is_seen_as_its_output() {
    let server = start(&[]);
    let mut resp = server.connect().unwrap();
    resp.call(&[&b"SET"[..], b"long", &vec![b'x'; 32 * MB]]).unwrap();
    for headers in [&[][..], &[BASE64], &["Upstash-Response-Format: resp2"]] {
        let mut readers = slow_readers(&server, 2, headers);
        // Some is with the system already.
        assert!(figures(&mut resp, "omem").iter().all(|bytes| *bytes >= 16 * MB), "{headers:?}");
        assert!(figures(&mut resp, "tot-mem").iter().all(|bytes| *bytes >= 32 * MB), "{headers:?}");
        assert!(figures(&mut resp, "oll").iter().all(|blocks| *blocks > 0), "{headers:?}");
        assert!(info(&mut resp, "mem_clients_normal") >= 64 * MB, "{headers:?}");
        // Once it is sent, it is no more.
        let (mut reader, head) = readers.pop().unwrap();
        drop(readers);
        assert!(reader.read_body(head).unwrap().body.len() > 32 * MB);
        while figures(&mut resp, "omem").iter().any(|bytes| *bytes > 0) {}
        assert_eq!(reader.call("GET", "/ping", &[], b"").unwrap().status, 200);
    }
}

#[test]
fn what_a_client_has_sent_is_seen_as_its_input() {
    let server = start(&[]);
    let mut resp = server.connect().unwrap();
    let mut writers = slow_writers(&server, 2, 4 * MB);
    let arrived = |resp: &mut Connection| figures(resp, "qbuf").iter().filter(|bytes| **bytes == 4 * MB).count();
    while arrived(&mut resp) < 2 {}
    assert!(figures(&mut resp, "tot-mem").iter().all(|bytes| *bytes >= 4 * MB));
    assert!(info(&mut resp, "mem_clients_normal") >= 8 * MB);
    writers.truncate(1);
    writers[0].send_bytes(&vec![b'x'; 4 * MB]).unwrap();
    assert_eq!(writers[0].read().unwrap().status, 200);
    while figures(&mut resp, "qbuf") != [0] {}
    assert_eq!(figures(&mut resp, "qbuf-free"), [0]);
    // The head of a request, too.
    writers[0].send_bytes(format!("GET / HTTP/1.1\r\nA: b\r\nX: {}", "y".repeat(50_000)).as_bytes()).unwrap();
    while figures(&mut resp, "qbuf")[0] < 50_000 {}
}

#[test]
fn slow_readers_are_evicted_and_not_the_keys() {
    let server = start(&["--maxmemory-clients", "30mb"]);
    let mut resp = server.connect().unwrap();
    fill(&mut resp);
    // In base64 each has a copy of his own.
    let begin = |_| {
        let mut http = open(&server);
        http.send("GET", "/get/long", &[BASE64], b"").unwrap();
        http
    };
    let readers: Vec<_> = (0..12).map(begin).collect();
    while info(&mut resp, "evicted_clients") < 11 {}
    call(&mut resp, "SET another 1");
    assert_eq!(info(&mut resp, "evicted_keys"), 0);
    assert_eq!(call(&mut resp, "DBSIZE"), r":18\r\n");
    drop(readers);
}

#[test]
fn long_values_are_sent_from_where_they_are() {
    let server = start(&[]);
    let mut resp = server.connect().unwrap();
    fill(&mut resp);
    for headers in [&[][..], &["Upstash-Response-Format: resp2"]] {
        let readers = slow_readers(&server, 12, headers);
        call(&mut resp, "SET another 1");
        assert_eq!(info(&mut resp, "evicted_keys"), 0, "{headers:?}");
        drop(readers);
    }
}

#[test]
fn slow_writers_are_evicted() {
    let server = start(&["--maxmemory-clients", "10mb"]);
    let mut resp = server.connect().unwrap();
    let writers = slow_writers(&server, 4, 8 * MB);
    while info(&mut resp, "evicted_clients") < 3 {}
    assert!(info(&mut resp, "mem_clients_normal") < 10 * MB);
    drop(writers);
}

#[test]
fn limits_of_output_hold_for_single_answers() {
    let server = start(&["--client-output-buffer-limit", "normal 0 1mb 1"]);
    let mut resp = server.connect().unwrap();
    resp.call(&[&b"SET"[..], b"long", &vec![b'x'; 32 * MB]]).unwrap();
    let mut readers = slow_readers(&server, 3, &[]);
    while info(&mut resp, "client_output_buffer_limit_disconnections") < 3 {}
    readers.iter_mut().for_each(|(http, _)| assert!(http.read_to_close().unwrap().len() < 32 * MB));
    // Of an answer that is too long only as JSON, nothing is sent.
    resp.call(&["CONFIG", "SET", "client-output-buffer-limit", "normal 40mb 0 0"]).unwrap();
    let mut http = open(&server);
    http.send("GET", "/get/long", &[BASE64], b"").unwrap();
    assert_eq!(http.read_to_close().unwrap(), b"");
    assert_eq!(info(&mut resp, "client_output_buffer_limit_disconnections"), 4);
    assert_eq!(slow_readers(&server, 1, &[]).len(), 1);
}

#[test]
fn transactions_and_pipelines_that_nobody_reads_are_limited() {
    let server = start(&["--client-output-buffer-limit", "normal 60mb 0 0"]);
    let mut resp = server.connect().unwrap();
    resp.call(&[&b"SET"[..], b"long", &vec![b'x'; 16 * MB]]).unwrap();
    for path in ["/pipeline", "/multi-exec"] {
        let mut http = open(&server);
        http.send("POST", path, &[], br#"[["GET","long"],["GET","long"],["GET","long"]]"#).unwrap();
        assert_eq!(http.read_head().unwrap().status, 200);
        assert!(figures(&mut resp, "omem")[0] >= 16 * MB, "{path}");
        drop(http);
        while !figures(&mut resp, "omem").is_empty() {}
    }
    let mut http = open(&server);
    http.send("POST", "/multi-exec", &[], format!("[{}]", [r#"["GET","long"]"#; 4].join(",")).as_bytes()).unwrap();
    assert_eq!(http.read_to_close().unwrap(), b"");
}
