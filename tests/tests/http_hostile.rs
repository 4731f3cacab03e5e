//! Requests over HTTP that are wrong or meant ill: a clear status, nothing carried out, and nobody else notices.

use std::io::Write;
use std::net::{Shutdown, TcpStream};

use harness::http::HttpConnection;
use harness::{Server, ServerBuilder, call, server_under_test};

fn start(args: &[&str]) -> Server {
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    ServerBuilder::new(binary).free_port("http-port").args(args).start().expect("the server starts")
}

fn open(server: &Server) -> HttpConnection {
    HttpConnection::open(server.port_of("http-port")).expect("a connection")
}

/// The status of the answer to bytes on a connection of their own.
fn status(server: &Server, bytes: &[u8]) -> u16 {
    let mut http = open(server);
    // The server may close before it has taken all.
    let _ = http.send_bytes(bytes);
    http.read().expect("an answer").status
}

fn assert_untouched(server: &Server) {
    assert_eq!(call(&mut server.connect().expect("a connection"), "DBSIZE"), r":0\r\n");
    assert_eq!(open(server).call("GET", "/ping", &[], b"").unwrap().text(), r#"{"result":"PONG"}"#);
}

#[test]
fn requests_that_are_wrong_do_nothing() {
    let server = start(&[]);
    let long_path = format!("GET /set/a/{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(70_000));
    let long_header = format!("GET /set/a/1 HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    let many_headers = format!("GET /set/a/1 HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(200));
    let cases: [(&str, u16); 25] = [
        ("DELETE /set/a/1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("OPTIONS /set/a/1 HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n", 405),
        ("CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("TRACE /set/a/1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("GET /pipeline HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("GET /metrics/a HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("GET /favicon.ico HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("GET /healthz%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("GET /set%00/a/b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("GET /set/a/b?EX=1%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("GET /set/a/%f HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("GET /set/a/1 HTTP/1.1\r\n\r\n", 400),
        ("GET /set/a/1 HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n", 400),
        ("GET /set/a/1 HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
        ("GET /set/a/1 HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n", 400),
        ("GET  /set/a/1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("GET /set/a/1 HTTP/3.0\r\nHost: localhost\r\n\r\n", 400),
        ("GET /set/a/1 HTTP/1.1\r\nHost: localhost\r\nExpect: magic\r\n\r\n", 417),
        ("GET /set/a/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", 400),
        ("POST /set/a HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", 415),
        (
            "GET /subscribe/a HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            400,
        ),
        ("*1\r\n$4\r\nPING\r\n", 400),
        (&long_path, 414),
        (&long_header, 431),
        (&many_headers, 431),
    ];
    for (bytes, expected) in cases {
        assert_eq!(status(&server, bytes.as_bytes()), expected, "{}", &bytes[..bytes.len().min(100)]);
    }
    for body in ["", "{", "[]", "{\"a\":1}", "[[\"SET\",\"a\",1]]", "[\"SET\",\"a\",1] x", "\u{0}"] {
        let answer = open(&server).call("POST", "/", &[], body.as_bytes()).unwrap();
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.text().starts_with("{\"error\":\"ERR failed to parse the body as JSON"), "{}", answer.text());
    }
    assert_untouched(&server);
}

#[test]
fn no_request_hides_in_another() {
    let server = start(&[]);
    let hidden = "GET /set/hidden/1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let shapes = [
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4\r\nContent-Length: 4\r\n",
        "Content-Length: 4, 5\r\n",
        "Content-Length: 4, 4\r\n",
        "Content-Length : 4\r\n",
        "Content-Length: 4\n",
        "Content-Length:\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: -4\r\n",
        "Content-Length: 0x4\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: chunked\r\nX: y\r\nContent-Length: 0\r\n",
        "transfer-encoding: chunked\r\nCONTENT-LENGTH: 4\r\n",
        "Transfer-Encoding: chunked\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "X: y\rTransfer-Encoding: chunked\r\n",
        "X: y\0z\r\n",
    ];
    for shape in shapes {
        let mut http = open(&server);
        let bytes = format!("POST /set/a HTTP/1.1\r\nHost: localhost\r\n{shape}\r\n0\r\n\r\n{hidden}");
        let _ = http.send_bytes(bytes.as_bytes());
        let all = String::from_utf8_lossy(&http.read_to_close().unwrap()).into_owned();
        assert!(all.starts_with("HTTP/1.1 400 ") && all.matches("HTTP/1.1 ").count() == 1, "{shape}: {all}");
    }
    // The same behind a request that is in order, which is answered.
    for body in
        ["Content-Length: 4\r\n\r\n0\r\n\r", "Transfer-Encoding: chunked\r\n\r\n1;x=\"y\"\r\n0\r\n0\r\nX: y\r\n\r\n"]
    {
        let mut http = open(&server);
        let both = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        let post = |body: &str| format!("POST /echo HTTP/1.1\r\nHost: localhost\r\n{body}");
        let _ = http.send_bytes(format!("{}{}{hidden}", post(body), post(both)).as_bytes());
        assert_eq!(http.read().unwrap().status, 200, "{body}");
        let refused = http.read().unwrap();
        assert_eq!(refused.text(), r#"{"error":"ERR both Content-Length and Transfer-Encoding"}"#, "{body}");
        assert_eq!((refused.status, refused.header("connection")), (400, "close"));
        assert_eq!(http.read_to_close().unwrap(), b"");
    }
    // Chunks that are none.
    for chunks in [
        "x\r\n",
        "-1\r\n\r\n",
        "1\r\nab\r\n",
        "fffffffffffffffff\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        "1\na\r\n0\r\n\r\n",
        "1;\n\r\na\r\n0\r\n\r\n",
        " 1\r\na\r\n0\r\n\r\n",
        "1\r\na0\r\n\r\n",
    ] {
        let bytes = format!("POST /set/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(status(&server, bytes.as_bytes()), 400, "{chunks}");
    }
    assert_untouched(&server);
}

#[test]
fn pages_of_other_sites_do_nothing() {
    let server = start(&[]);
    let port = server.port_of("http-port");
    let own = [format!("Host: localhost:{port}"), format!("Origin: http://localhost:{port}")];
    let foreign = |lines: &[&str]| {
        let mut http = open(&server);
        let head = format!("POST /set/a HTTP/1.1\r\n{}\r\nContent-Length: 1\r\n\r\n1", lines.join("\r\n"));
        http.send_bytes(head.as_bytes()).unwrap();
        let answer = http.read().unwrap();
        assert!(answer.headers.iter().all(|(name, _)| !name.starts_with("access-control-")));
        answer.status
    };
    assert_eq!(foreign(&["Host: localhost", "Origin: http://evil.example"]), 403);
    assert_eq!(foreign(&["Host: localhost", "Origin: null"]), 403);
    assert_eq!(foreign(&["Host: localhost", "Sec-Fetch-Site: cross-site"]), 403);
    assert_eq!(foreign(&["Host: localhost", "Sec-Fetch-Site: same-site"]), 403);
    // A name that the site has given to this machine.
    assert_eq!(foreign(&["Host: evil.example", "Origin: http://evil.example"]), 403);
    assert_untouched(&server);
    assert_eq!(foreign(&[&own[0], &own[1], "Sec-Fetch-Site: same-origin"]), 200);
    assert_eq!(foreign(&["Host: 127.0.0.1"]), 200);
    // What requires a token can be reached under any name.
    call(&mut server.connect().unwrap(), "CONFIG SET http-token secret");
    assert_eq!(foreign(&["Host: db.example", "Authorization: Bearer secret"]), 200);
    assert_eq!(foreign(&["Host: db.example", "Authorization: Bearer secret", "Origin: http://evil.example"]), 403);
}

#[test]
fn browsers_have_to_tell_whose_page_they_show_where_nobody_has_to_prove_anything() {
    // To an address that is not of the loopback, over plain HTTP, browsers tell neither a site nor an origin of an image.
    let server = start(&["--protected-mode", "no"]);
    let get = |target: &str, lines: &[&str]| {
        let mut http = open(&server);
        let head = format!("GET {target} HTTP/1.1\r\nHost: 192.0.2.2:7532\r\n{}\r\n\r\n", lines.join("\r\n"));
        http.send_bytes(head.as_bytes()).unwrap();
        http.read().unwrap().status
    };
    let browser = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36";
    for target in ["/set/pwned/img", "/set/pwned/img?_token=any", "/metrics"] {
        assert_eq!(get(target, &["X: y", "Referer: http://evil.example/"]), 403, "{target}");
        assert_eq!(get(target, &[browser, "Referer: http://evil.example/"]), 403, "{target}");
        // A page can keep its browser from telling even that, but not from telling that it is one.
        assert_eq!(get(target, &[browser, "Accept: image/*"]), 403, "{target}");
        assert_eq!(get(target, &[browser, "Authorization: Basic ZGVmYXVsdDp4"]), 403, "{target}");
    }
    assert_untouched(&server);
    let dashboard = get("/", &[browser]);
    assert_eq!(dashboard, 200);
    for line in ["Referer: http://192.0.2.2:7532/", "Origin: http://192.0.2.2:7532", "Authorization: Bearer any"] {
        assert_eq!(get("/ping", &[browser, line]), 200, "{line}");
    }
    assert_eq!(get("/ping", &["User-Agent: curl/8.14.1"]), 200);
    // Whoever has to show a token has proved enough by it.
    call(&mut server.connect().unwrap(), "CONFIG SET http-token secret");
    assert_eq!(get("/ping?_token=secret", &[browser]), 200);
    assert_eq!(get("/ping?_token=any", &[browser]), 401);
}

#[test]
fn bodies_have_a_limit() {
    let server = start(&["--http-max-body-size", "4096", "--http-token", "secret"]);
    let token = "Authorization: Bearer secret";
    let mut http = open(&server);
    assert_eq!(http.call("POST", "/set/a", &[token], &[b'x'; 4096]).unwrap().status, 200);
    // Those who have sent all of it read why, and can go on.
    let answer = http.call("POST", "/set/b", &[token], &[b'x'; 100_000]).unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (413, r#"{"error":"ERR the body is larger than 4096 bytes"}"#));
    assert_eq!(http.call("GET", "/exists/b", &[token], b"").unwrap().text(), r#"{"result":0}"#);
    // It holds for bodies that do not say how long they are.
    http.send_bytes(
        format!("POST /set/b HTTP/1.1\r\nHost: a\r\n{token}\r\nTransfer-Encoding: chunked\r\n\r\n").as_bytes(),
    )
    .unwrap();
    for _ in 0..5 {
        http.send_bytes(&[b"400\r\n".to_vec(), vec![b'x'; 1024], b"\r\n".to_vec()].concat()).unwrap();
    }
    http.send_bytes(b"0\r\n\r\n").unwrap();
    assert_eq!(http.read().unwrap().status, 413);
    // A stranger's body is not waited for, and one who asks whether to send his is told not to.
    let ask = "POST /set/b HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\nExpect: 100-continue\r\n";
    assert_eq!(status(&server, format!("{ask}\r\n").as_bytes()), 401);
    assert_eq!(status(&server, format!("{ask}{token}\r\n\r\n").as_bytes()), 413);
    // An argument may be no longer than over RESP.
    let mut resp = server.connect().unwrap();
    call(&mut resp, "CONFIG SET proto-max-bulk-len 1mb http-max-body-size 8mb");
    assert_eq!(http.call("POST", "/set/b", &[token], &vec![b'x'; 1 << 20]).unwrap().status, 200);
    assert_eq!(http.call("POST", "/set/c", &[token], &vec![b'x'; (1 << 20) + 1]).unwrap().status, 413);
    assert_eq!(call(&mut resp, "EXISTS c"), r":0\r\n");
}

#[test]
fn refusals_wait_for_no_body() {
    let server = start(&["--http-max-body-size", "4096", "--http-token", "secret"]);
    let token = "Authorization: Bearer secret\r\n";
    for (request, headers, expected) in [
        ("POST /set/a", "", 401),
        ("POST /set/a", "Authorization: Bearer other\r\n", 401),
        ("POST /set/a", token, 413),
        ("POST /metrics", token, 405),
        ("POST /set/a", "Origin: http://other.example\r\n", 403),
        ("POST /set/a", "Content-Encoding: gzip\r\n", 415),
    ] {
        let mut http = open(&server);
        let head = format!("{request} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: 1000000\r\n\r\n");
        http.send_bytes(head.as_bytes()).unwrap();
        assert_eq!(http.read().unwrap().status, expected, "{request} {headers}");
        // Whoever sends the body all the same can go on behind it.
        http.send_bytes(&[b'x'; 1_000_000]).unwrap();
        let answer = http.call("GET", "/exists/a?_token=secret", &[], b"").unwrap();
        assert_eq!(answer.text(), r#"{"result":0}"#, "{request} {headers}");
    }
    // And who does not is not waited for for ever.
    call(&mut server.connect().unwrap(), "CONFIG SET http-timeout 1");
    let mut http = open(&server);
    http.send_bytes(b"POST /set/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc").unwrap();
    assert_eq!(http.read().unwrap().status, 401);
    assert_eq!(http.read_to_close().unwrap(), b"");
}

#[test]
fn whole_requests_are_answered_although_nothing_can_come_behind_them() {
    let server = start(&[]);
    let pipeline =
        "POST /pipeline HTTP/1.1\r\nHost: localhost\r\nContent-Length: 27\r\n\r\n[[\"INCR\",\"a\"],[\"INCR\",\"a\"]]";
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for (requests, expected) in [
        (get("/healthz"), &["ok\n"][..]),
        (get("/set/b/1"), &[r#"{"result":"OK"}"#]),
        (
            [get("/get/b"), pipeline.to_owned(), get("/get/a")].concat(),
            &[r#"{"result":"1"}"#, r#"[{"result":1},{"result":2}]"#, r#"{"result":"2"}"#],
        ),
    ] {
        let stream = TcpStream::connect(("127.0.0.1", server.port_of("http-port"))).unwrap();
        let mut http = HttpConnection::over(stream.try_clone().unwrap());
        http.send_bytes(requests.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        for text in expected {
            assert_eq!(http.read().unwrap().text(), *text);
        }
        assert_eq!(http.read_to_close().unwrap(), b"");
    }
}

#[test]
fn bodies_come_in_any_form() {
    let server = start(&[]);
    let mut http = open(&server);
    let head = "POST /set/a HTTP/1.1\r\nHost: localhost\r\n";
    // Chunked, and byte by byte.
    for byte in
        format!("{head}Transfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n").bytes()
    {
        http.send_bytes(&[byte]).unwrap();
    }
    assert_eq!(http.read().unwrap().text(), r#"{"result":"OK"}"#);
    assert_eq!(http.call("GET", "/get/a", &[], b"").unwrap().text(), r#"{"result":"abcde"}"#);
    // Asked for first.
    http.send_bytes(format!("{head}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n").as_bytes()).unwrap();
    assert_eq!(http.read_head().unwrap().status, 100);
    http.send_bytes(b"xy").unwrap();
    assert_eq!(http.read().unwrap().status, 200);
    // Several requests at once are answered in their order.
    let get = |word: &str| format!("GET /echo/{word} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    http.send_bytes(["a", "b", "c"].map(get).concat().as_bytes()).unwrap();
    for word in ["a", "b", "c"] {
        assert_eq!(http.read().unwrap().text(), format!("{{\"result\":\"{word}\"}}"));
    }
    // HTTP/1.0 closes.
    let mut old = open(&server);
    old.send_bytes(b"GET /get/a HTTP/1.0\r\n\r\n").unwrap();
    assert!(old.read_to_close().unwrap().ends_with(br#"{"result":"xy"}"#));
    // An upgrade to HTTP/2 is declined by going on without it.
    let upgrade = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"];
    assert_eq!(http.call("GET", "/get/a", &upgrade, b"").unwrap().status, 200);
}

#[test]
fn those_who_take_their_time_are_cut_off() {
    let server = start(&["--http-timeout", "1"]);
    let mut slow_head = open(&server);
    let mut slow_body = open(&server);
    let mut silent = open(&server);
    slow_head.send_bytes(b"POST /set/a HTTP/1.1\r\nHost: loc").unwrap();
    slow_body.send_bytes(b"POST /set/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab").unwrap();
    let answer = slow_body.read().unwrap();
    assert_eq!((answer.status, answer.header("connection")), (408, "close"));
    assert_eq!(slow_body.read_to_close().unwrap(), b"");
    let _ = slow_head.read_to_close().unwrap();
    assert_eq!(silent.read_to_close().unwrap(), b"");
    assert_untouched(&server);
}

#[test]
fn too_many_are_told_so() {
    let server = start(&["--maxclients", "2"]);
    let (mut one, mut two) = (open(&server), open(&server));
    assert_eq!(one.call("GET", "/ping", &[], b"").unwrap().status, 200);
    assert_eq!(two.call("GET", "/ping", &[], b"").unwrap().status, 200);
    let answer = open(&server).read().unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (503, r#"{"error":"ERR max number of clients reached"}"#));
}

#[test]
fn output_that_nobody_reads_ends_the_connection() {
    let server = start(&["--client-output-buffer-limit", "pubsub 1mb 0 0"]);
    let mut resp = server.connect().unwrap();
    let mut http = open(&server);
    http.send("GET", "/subscribe/chat", &[], b"").unwrap();
    assert_eq!(http.read_head().unwrap().status, 200);
    let message = "x".repeat(100_000);
    // The kernel takes some megabytes until the server has to keep the rest.
    while resp.call(&["PUBLISH", "chat", &message]).unwrap().integer() == Some(1) {}
    assert!(call(&mut resp, "INFO stats").contains("client_output_buffer_limit_disconnections:1"));
    assert!(!http.read_to_close().unwrap().is_empty());
    // Also when nothing has been sent for a while: what comes meanwhile is noticed.
    resp.call(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 8mb 0 0"]).unwrap();
    let mut http = open(&server);
    http.send("GET", "/subscribe/chat", &[], b"").unwrap();
    assert_eq!(http.read_head().unwrap().status, 200);
    let message = "x".repeat(1_000_000);
    (0..20).for_each(|_| drop(resp.call(&["PUBLISH", "chat", &message]).unwrap()));
    while resp.call(&["PUBLISH", "chat", "x"]).unwrap().integer() == Some(1) {}
    assert!(call(&mut resp, "INFO stats").contains("client_output_buffer_limit_disconnections:2"));
}

#[test]
fn who_leaves_is_noticed_although_he_has_sent_something_behind_his_request() {
    let server = start(&[]);
    let mut resp = server.connect().unwrap();
    let mut until = |line: &str| while !call(&mut resp, "INFO").contains(&format!(r"\r\n{line}\r\n")) {};
    let begin = |target: &str, behind: &str| {
        let mut http = open(&server);
        http.send_bytes(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n{behind}").as_bytes()).unwrap();
        http
    };
    for behind in ["", "G", "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let (waiting, reading) = (begin("/blpop/list/0", behind), begin("/subscribe/chat", behind));
        until("blocked_clients:1");
        until("pubsub_channels:1");
        drop(waiting);
        until("blocked_clients:0");
        drop(reading);
        until("pubsub_channels:0");
        until("connected_clients:1");
    }
    // What was sent behind is answered in its turn, however it came.
    let mut http = begin("/blpop/list/0", "GET /echo/a HTTP/1.1\r\nHo");
    until("blocked_clients:1");
    http.send_bytes(b"st: localhost\r\n\r\nGET /echo/b HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    call(&mut server.connect().unwrap(), "RPUSH list x");
    for result in [r#"{"result":["list","x"]}"#, r#"{"result":"a"}"#, r#"{"result":"b"}"#] {
        assert_eq!(http.read().unwrap().text(), result);
    }
}

#[test]
fn random_bytes_do_no_harm() {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    let mut rng = StdRng::seed_from_u64(harness::seed("random_bytes_do_no_harm"));
    let server = start(&[]);
    let pieces: [&[u8]; 16] = [
        b"GET ",
        b"POST ",
        b"/",
        b"/get/a",
        b"/pipeline",
        b"%",
        b"?",
        b" HTTP/1.1\r\n",
        b"Host: localhost\r\n",
        b"\r\n",
        b"Content-Length: ",
        b"7\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"[[\"GET\",\"a\"]]",
        b"0\r\n\r\n",
        b"\0\xff",
    ];
    for _ in 0..300 {
        let mut bytes = Vec::new();
        for _ in 0..rng.random_range(1..40) {
            bytes.extend_from_slice(pieces[rng.random_range(0..pieces.len())]);
        }
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", server.port_of("http-port"))).unwrap();
        // The server may close before it has taken all.
        let _ = stream.write_all(&bytes);
    }
    assert_untouched(&server);
}
