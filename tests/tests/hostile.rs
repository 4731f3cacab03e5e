//! Clients that mean harm or do not know better: the right error or a close, bounded memory, and nobody else notices.

use std::io::Write;
use std::process::Command;

use harness::{Connection, Server, escape, server_under_test};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

fn start(args: &[&str]) -> Server {
    Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), args).expect("the server starts")
}

fn assert_alive(server: &Server) {
    let mut connection = server.connect().expect("a connection");
    assert_eq!(connection.call(&["PING"]).expect("a reply").payload(), b"PONG");
}

/// What the server says to these bytes before it closes the connection.
fn answer(server: &Server, bytes: &[u8]) -> String {
    let mut connection = server.connect().expect("a connection");
    // The server may close before it has taken all.
    let _ = connection.send_bytes(bytes);
    escape(&connection.read_to_close().expect("a close"))
}

#[test]
fn violations_are_answered_and_end_the_connection() {
    let server = start(&[]);
    let long = [b"a".repeat(70_000), b"".to_vec()].concat();
    let cases: [(&[u8], &str); 8] = [
        (b"*abc\r\n", "-ERR Protocol error: invalid multibulk length"),
        (b"*2147483648\r\n", "-ERR Protocol error: invalid multibulk length"),
        (b"*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "-ERR Protocol error: invalid bulk length"),
        (b"*1\r\n$1073741824\r\n", "-ERR Protocol error: invalid bulk length"),
        (b"*1\r\n+PING\r\n", "-ERR Protocol error: expected '$', got '+'"),
        (b"SET \"a\r\n", "-ERR Protocol error: unbalanced quotes in request"),
        (&long, "-ERR Protocol error: too big inline request"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(answer(&server, bytes), format!("{expected}\\r\\n"));
    }
    // What came before the violation is carried out.
    assert!(answer(&server, b"PING\r\n*x\r\n").starts_with("+PONG\\r\\n-ERR Protocol error"));
    assert_alive(&server);
}

#[test]
fn lines_of_http_end_the_connection() {
    let server = start(&[]);
    let cases: [&[u8]; 4] =
        [b"POST / HTTP/1.1\r\nSET k v\r\n", b"host: a\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n", b"*1\r\n$4\r\npost\r\n"];
    for bytes in cases {
        assert_eq!(answer(&server, bytes), "");
    }
    let mut connection = server.connect().expect("a connection");
    assert_eq!(connection.call(&["DBSIZE"]).expect("a reply").integer(), Some(0));
    assert!(server.log().contains("Possible SECURITY ATTACK detected"));
}

#[test]
fn random_and_truncated_requests_are_harmless() {
    let server = start(&[]);
    let mut random = StdRng::seed_from_u64(harness::seed("hostile"));
    for _ in 0..200 {
        let mut connection = server.connect().expect("a connection");
        let len = random.random_range(0..2000);
        let bytes: Vec<u8> = if random.random() {
            (0..len).map(|_| random.random()).collect()
        } else {
            harness::encode(&["SET", "key", &"x".repeat(len)])[..len.min(20)].to_vec()
        };
        let _ = connection.send_bytes(&bytes);
    }
    assert_alive(&server);
}

#[test]
fn claims_take_no_memory() {
    let server = start(&[]);
    let before = harness::proc::resident_bytes(server.pid()).expect("a figure");
    let mut connections: Vec<Connection> = (0..50).map(|_| server.connect().expect("a connection")).collect();
    for connection in &mut connections {
        connection.send_bytes(b"*1000000000\r\n$536870912\r\nabc").expect("sent");
    }
    assert_alive(&server);
    let after = harness::proc::resident_bytes(server.pid()).expect("a figure");
    assert!(after < before + (100 << 20), "grew by {} bytes", after - before);
}

#[test]
fn many_arguments_work() {
    let server = start(&[]);
    let mut words = vec!["MGET".to_string()];
    words.extend((0..100_000).map(|number| number.to_string()));
    let reply = server.connect().expect("a connection").call(&words).expect("a reply");
    assert!(reply.0.starts_with(b"*100000\r\n$-1\r\n"));
}

#[test]
fn one_byte_at_a_time_keeps_nobody_waiting() {
    let server = start(&["--io-threads", "1"]);
    let mut slow = server.connect().expect("a connection");
    for byte in harness::encode(&["SET", "key", "value"]) {
        slow.send_bytes(&[byte]).expect("sent");
        assert_alive(&server);
    }
    assert_eq!(slow.read().expect("a reply").payload(), b"OK");
}

#[test]
fn who_does_not_read_is_closed_at_the_limit() {
    let server = start(&["--client-output-buffer-limit", "normal", "1mb", "0", "0"]);
    let mut greedy = server.connect().expect("a connection");
    greedy.call(&["SET", "big", &"x".repeat(500_000)]).expect("a reply");
    let request = harness::encode(&["GET", "big"]);
    // Never reads; the server must give up on it rather than keep on storing.
    while greedy.send_bytes(&request).is_ok() {}
    assert_alive(&server);
}

/// One small packet must not make more output than the limit before anybody looks.
#[test]
fn many_large_replies_to_one_packet_stop_at_the_limit() {
    let server = start(&["--client-output-buffer-limit", "normal", "10mb", "0", "0"]);
    let mut greedy = server.connect().expect("a connection");
    greedy.call(&["SETRANGE", "big", "2000000", "x"]).expect("a reply");
    let before = harness::proc::resident_bytes(server.pid()).expect("a figure");
    // Each reply is a copy.
    greedy.send_bytes(&harness::encode(&["GETRANGE", "big", "0", "-2"]).repeat(400)).expect("sent");
    let mut observer = server.connect().expect("a connection");
    loop {
        let info = escape(&observer.call(&["INFO", "stats"]).expect("a reply").0);
        if info.contains("client_output_buffer_limit_disconnections:1") {
            break;
        }
        let grown = harness::proc::resident_bytes(server.pid()).expect("a figure").saturating_sub(before);
        assert!(grown < 100 << 20, "{grown} bytes of output");
        std::thread::yield_now();
    }
}

#[test]
fn an_endless_reply_ends_at_the_limit() {
    let server = start(&["--client-output-buffer-limit", "normal", "1mb", "0", "0"]);
    let mut client = server.connect().expect("a connection");
    client.call(&["SADD", "s", "a", "b"]).expect("a reply");
    client.call(&["HSET", "h", "f", "v"]).expect("a reply");
    client.call(&["ZADD", "z", "1", "m"]).expect("a reply");
    for command in [["SRANDMEMBER", "s"], ["HRANDFIELD", "h"], ["ZRANDMEMBER", "z"]] {
        let mut greedy = server.connect().expect("a connection");
        greedy.send(&[command[0], command[1], "-4611686018427387904"]).expect("sent");
        // The server closes rather than to go on for ever.
        let _ = greedy.read_to_close();
        assert_alive(&server);
    }
}

#[test]
fn who_neither_reads_nor_writes_is_closed_when_the_soft_limit_was_passed_for_long() {
    let server = start(&["--client-output-buffer-limit", "normal", "0", "1mb", "1"]);
    let mut silent = server.connect().expect("a connection");
    silent.call(&["SETRANGE", "big", "16000000", "x"]).expect("a reply");
    silent.send_bytes(&harness::encode(&["GET", "big"])).expect("sent");
    let mut observer = server.connect().expect("a connection");
    // If it is never closed, reading times out.
    while !escape(&observer.call(&["CLIENT", "LIST"]).expect("a reply").0).contains("cmd=get") {
        std::thread::yield_now();
    }
    while escape(&observer.call(&["CLIENT", "LIST"]).expect("a reply").0).contains("cmd=get") {
        std::thread::yield_now();
    }
}

#[test]
fn arguments_that_have_arrived_do_not_count_as_unread() {
    let server = start(&["--client-query-buffer-limit", "1mb"]);
    let mut client = server.connect().expect("a connection");
    let value = "x".repeat(1000);
    let keys: Vec<String> = (0..2000).map(|number| format!("key{number}")).collect();
    let request: Vec<&str> = ["MSET"].into_iter().chain(keys.iter().flat_map(|key| [key.as_str(), &value])).collect();
    assert_eq!(client.call(&request).expect("a reply").payload(), b"OK");
    // What is queued does.
    client.call(&["MULTI"]).expect("a reply");
    let too_much = (0..3).any(|_| client.call(&request).is_err());
    assert!(too_much);
    assert_alive(&server);
}

#[test]
fn before_auth_little_is_accepted() {
    let server = start(&["--requirepass", "secret"]);
    assert_eq!(answer(&server, b"*11\r\n"), "-ERR Protocol error: unauthenticated multibulk length\\r\\n");
    assert_eq!(answer(&server, b"*1\r\n$16385\r\n"), "-ERR Protocol error: unauthenticated bulk length\\r\\n");
    let mut connection = server.connect().expect("a connection");
    assert_eq!(connection.call(&["GET", "key"]).expect("a reply").payload(), b"NOAUTH Authentication required.");
    // In one packet: what follows AUTH is read by the rules for those who have the password.
    let mut both = harness::encode(&["AUTH", "secret"]);
    both.extend(harness::encode(&["SET", "key", &"x".repeat(20_000)]));
    connection.send_bytes(&both).expect("sent");
    assert_eq!(connection.read().expect("a reply").payload(), b"OK");
    assert_eq!(connection.read().expect("a reply").payload(), b"OK");
}

#[test]
fn one_client_too_many_is_told_so() {
    let server = start(&["--maxclients", "3"]);
    let mut clients: Vec<Connection> = (0..3).map(|_| server.connect().expect("a connection")).collect();
    for client in &mut clients {
        client.call(&["PING"]).expect("a reply");
    }
    let mut refused = server.connect().expect("a connection");
    assert_eq!(escape(&refused.read_to_close().expect("a close")), "-ERR max number of clients reached\\r\\n");
}

#[test]
fn wrong_starts_are_explained() {
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    let run = |args: &[&str]| {
        let output = Command::new(&binary).args(args).output().expect("it runs");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), text)
    };
    for (args, expected) in [
        (&["--no-such-directive", "1"][..], "FATAL CONFIG FILE ERROR"),
        (&["--maxclients", "many"], "argument couldn't be parsed into an integer"),
        (&["--appendonly", "maybe"], "argument must be 'yes' or 'no'"),
        (&["/no/such/file.conf"], "can't open config file"),
    ] {
        let (code, text) = run(args);
        assert_eq!(code, Some(1), "{args:?}: {text}");
        assert!(text.contains(expected), "{args:?}: {text}");
    }
    let server = start(&[]);
    let (code, text) = run(&["--port", &server.port().to_string(), "--bind", "127.0.0.1"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("Failed listening on port"), "{text}");
}

#[test]
fn a_configuration_can_come_from_standard_input() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("socket");
    let mut child = Command::new(binary)
        .args(["-", "--port", "0", "--unixsocket"])
        .arg(&socket)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.take().expect("a pipe").write_all(b"port 1\nmaxclients 77\n").expect("written");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("Server initialized")));
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}
