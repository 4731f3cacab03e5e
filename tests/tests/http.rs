//! The HTTP port: Upstash's REST protocol, event streams, metrics.

use std::thread;

use harness::http::{Answer, HttpConnection};
use harness::{Connection, Server, ServerBuilder, call, server_under_test};

const TOKEN: &str = "Authorization: Bearer secret";
const READ_ONLY: &str = "Authorization: Bearer reader";
const BASE64: &str = "Upstash-Encoding: base64";

fn start(args: &[&str]) -> Server {
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    ServerBuilder::new(binary).free_port("http-port").args(args).start().expect("the server starts")
}

/// A server with both tokens.
fn start_guarded() -> Server {
    start(&["--http-token", "secret", "--http-readonly-token", "reader"])
}

fn open(server: &Server) -> HttpConnection {
    HttpConnection::open(server.port_of("http-port")).expect("a connection")
}

fn connect(server: &Server) -> Connection {
    server.connect().expect("a connection")
}

fn get(http: &mut HttpConnection, target: &str) -> Answer {
    http.call("GET", target, &[TOKEN], b"").expect("an answer")
}

fn post(http: &mut HttpConnection, target: &str, body: &str) -> Answer {
    http.call("POST", target, &[TOKEN], body.as_bytes()).expect("an answer")
}

/// Sends each request and compares status and body: `POST /pipeline [["GET","a"]]`, `GET /get/a`.
fn converse(http: &mut HttpConnection, headers: &[&str], lines: &[(&str, u16, &str)]) {
    for (request, status, body) in lines {
        let mut words = request.splitn(3, ' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let answer = http.call(method, target, headers, words.next().unwrap_or_default().as_bytes()).unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (*status, *body), "{request}");
    }
}

/// Comes back when the server tells a line of INFO.
fn until_info(connection: &mut Connection, line: &str) {
    while !call(connection, "INFO").contains(&format!(r"\r\n{line}\r\n")) {
        thread::yield_now();
    }
}

#[test]
fn commands_come_in_the_path_and_in_the_body() {
    let server = start_guarded();
    let mut http = open(&server);
    converse(
        &mut http,
        &[TOKEN],
        &[
            ("GET /set/foo/bar", 200, r#"{"result":"OK"}"#),
            ("GET /get/foo", 200, r#"{"result":"bar"}"#),
            ("GET /get/nothing", 200, r#"{"result":null}"#),
            ("POST /set/foo?EX=100&XX [1,2]", 200, r#"{"result":"OK"}"#),
            ("GET /get/foo", 200, r#"{"result":"[1,2]"}"#),
            ("PUT /ttl/foo", 200, r#"{"result":100}"#),
            ("POST / [\"SET\",\"n\",1763680000123456]", 200, r#"{"result":"OK"}"#),
            ("POST / [\"INCRBY\",\"n\",\"1\"]", 200, r#"{"result":1763680000123457}"#),
            ("POST / [\"MGET\",\"n\",\"none\"]", 200, r#"{"result":["1763680000123457",null]}"#),
            ("POST / [\"SET\",\"flag\",true]", 200, r#"{"result":"OK"}"#),
            ("POST /get/flag", 200, r#"{"result":"true"}"#),
            ("POST / [\"SET\",\"zero\",\"a\\u0000b\"]", 200, r#"{"result":"OK"}"#),
            ("GET /strlen/zero", 200, r#"{"result":3}"#),
            ("GET /zadd/z/1.5/%C3%A9/2/b", 200, r#"{"result":2}"#),
            ("GET /zrange/z/0/-1/WITHSCORES", 200, r#"{"result":["é","1.5","b","2"]}"#),
            ("GET /hset/h/f/v", 200, r#"{"result":1}"#),
            ("GET /hgetall/h", 200, r#"{"result":["f","v"]}"#),
            ("GET /set/foo", 400, r#"{"error":"ERR wrong number of arguments for 'set' command"}"#),
            ("GET /incr/foo", 400, r#"{"error":"ERR value is not an integer or out of range"}"#),
            ("GET /nonesuch/a", 400, r#"{"error":"ERR unknown command 'nonesuch', with args beginning with: 'a' "}"#),
            ("GET /post/a", 400, r#"{"error":"ERR unknown command 'post', with args beginning with: 'a' "}"#),
        ],
    );
    let head = {
        http.send("HEAD", "/set/by/head", &[TOKEN], b"").unwrap();
        http.read_head().unwrap()
    };
    assert_eq!((head.status, head.header("content-length")), (200, "15"));
    assert_eq!(get(&mut http, "/get/by").text(), r#"{"result":"head"}"#);
    // The keyspace is the RESP port's.
    assert_eq!(call(&mut connect(&server), "GET by"), r"$4\r\nhead\r\n");
}

#[test]
fn pipelines_have_an_outcome_for_each_command() {
    let server = start_guarded();
    let mut http = open(&server);
    converse(
        &mut http,
        &[TOKEN],
        &[
            (
                r#"POST /pipeline [["SET","a",1],["INCR","a"],["LPUSH","a",2],["NONE"],["SUBSCRIBE","c"],["GET","a"]]"#,
                200,
                "[{\"result\":\"OK\"},{\"result\":2},{\"error\":\"WRONGTYPE Operation against a key holding the wrong \
                 kind of value\"},{\"error\":\"ERR unknown command 'NONE', with args beginning with: \"},{\"error\":\
                 \"ERR Command is not available over HTTP: 'subscribe'\"},{\"result\":\"2\"}]",
            ),
            ("POST /pipeline []", 200, "[]"),
            (
                r#"POST /pipeline [["MULTI"],["INCR","a"],["EXEC"]]"#,
                200,
                r#"[{"result":"OK"},{"result":"QUEUED"},{"result":[3]}]"#,
            ),
        ],
    );
    // Nothing of one that is malformed is carried out.
    for body in ["[[\"SET\",\"a\",9],[]]", "[[\"SET\",\"a\",9],{}]", "[[\"SET\",\"a\",9]", "[\"SET\",\"a\",9]", "x"] {
        let answer = post(&mut http, "/pipeline", body);
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.text().starts_with("{\"error\":\"ERR failed to parse the body as JSON: "), "{}", answer.text());
    }
    assert_eq!(get(&mut http, "/get/a").text(), r#"{"result":"3"}"#);
    let many = format!("[{}]", vec!["[\"INCR\",\"many\"]"; 5000].join(","));
    assert!(post(&mut http, "/pipeline", &many).text().ends_with(",{\"result\":5000}]"));
}

#[test]
fn many_commands_are_answered_in_pieces_and_make_no_keys_go() {
    let server =
        start(&["--http-token", "secret", "--http-readonly-token", "reader", "--maxmemory-policy", "allkeys-lru"]);
    let (mut resp, mut http) = (connect(&server), open(&server));
    let fill = "for i = 1, 50000 do redis.call('SET', 'key:' .. i, string.rep('x', 100)) end";
    resp.call(&["EVAL", fill, "0"]).unwrap();
    let info = call(&mut resp, "INFO memory");
    let used: u64 = info.split("used_memory:").nth(1).unwrap().split(r"\r").next().unwrap().parse().unwrap();
    // What a body takes, and some pieces, fit in, but not what 100,000 commands and outcomes would take.
    call(&mut resp, &format!("CONFIG SET maxmemory {}", used + (4 << 20)));
    let count = 100_000;
    let body = format!("[{}[\"PING\"]]", "[1],".repeat(count - 1));
    let answer = http.call("POST", "/pipeline", &[READ_ONLY], body.as_bytes()).unwrap();
    assert_eq!((answer.status, answer.header("transfer-encoding")), (200, "chunked"));
    let text = answer.text();
    assert_eq!(text.matches("{\"error\":\"ERR unknown command '1', with args beginning with: \"},").count(), count - 1);
    assert!(text.starts_with('[') && text.ends_with(",{\"result\":\"PONG\"}]"));
    assert_eq!(call(&mut resp, "DBSIZE"), r":50000\r\n");
    // The same as RESP and as a transaction, and the connection goes on.
    let pings = format!("[{}[\"ECHO\",\"end\"]]", "[\"PING\"],".repeat(20_000));
    let raw = http.call("POST", "/pipeline", &[TOKEN, "Upstash-Response-Format: resp2"], pings.as_bytes()).unwrap();
    assert_eq!(raw.text(), "+PONG\r\n".repeat(20_000) + "$3\r\nend\r\n");
    let whole = post(&mut http, "/multi-exec", &pings);
    assert_eq!(whole.header("transfer-encoding"), "chunked");
    assert_eq!(whole.text(), format!("[{}{{\"result\":\"end\"}}]", "{\"result\":\"PONG\"},".repeat(20_000)));
    assert_eq!(post(&mut http, "/pipeline", "[[\"PING\"]]").header("content-length"), "19");
    // Nothing of one that is wrong at its end is carried out.
    let wrong = format!("[{}[]]", "[\"FLUSHALL\"],".repeat(20_000));
    let answer = post(&mut http, "/pipeline", &wrong);
    assert_eq!(answer.status, 400);
    let text = "{\"error\":\"ERR failed to parse the body as JSON: command 20001: empty command at byte 260002\"}";
    assert_eq!(answer.text(), text);
    assert_eq!(call(&mut resp, "DBSIZE"), r":50000\r\n");
}

#[test]
fn null_is_no_argument() {
    let server = start_guarded();
    let mut http = open(&server);
    let null = r#"{"error":"ERR null args are not supported"}"#;
    converse(
        &mut http,
        &[TOKEN],
        &[
            ("POST / [\"SET\",\"a\",null]", 400, null),
            (
                r#"POST /pipeline [["SET","a",1],["SET","a",null],[null],["INCR","a"]]"#,
                200,
                &format!(r#"[{{"result":"OK"}},{null},{null},{{"result":2}}]"#),
            ),
            (
                r#"POST /multi-exec [["SET","a",9],["SET","a",null]]"#,
                400,
                r#"{"error":"EXECABORT Transaction discarded because of: null args are not supported"}"#,
            ),
            ("GET /get/a", 200, r#"{"result":"2"}"#),
            // Halves of characters are one character each.
            (r#"POST / ["SET","a","x\ud83dy"]"#, 200, r#"{"result":"OK"}"#),
            ("GET /get/a", 200, "{\"result\":\"x\u{fffd}y\"}"),
        ],
    );
}

#[test]
fn transactions_happen_as_a_whole_or_not_at_all() {
    let server = start_guarded();
    let mut http = open(&server);
    converse(
        &mut http,
        &[TOKEN],
        &[
            (
                r#"POST /multi-exec [["SET","a",1],["LPUSH","a",2],["INCR","a"]]"#,
                200,
                "[{\"result\":\"OK\"},{\"error\":\"WRONGTYPE Operation against a key holding the wrong kind of value\"\
                 },{\"result\":2}]",
            ),
            (
                r#"POST /multi-exec [["SET","a",9],["SET","a"]]"#,
                400,
                r#"{"error":"EXECABORT Transaction discarded because of: wrong number of arguments for 'set' command"}"#,
            ),
            (
                r#"POST /multi-exec [["SET","a",9],["EXEC"],["SET","a",8]]"#,
                400,
                "{\"error\":\"EXECABORT Transaction discarded because of: Command is not available in a transaction: \
                 'exec'\"}",
            ),
            ("POST /multi-exec []", 200, "[]"),
            (
                "POST /multi-exec x",
                400,
                r#"{"error":"ERR failed to parse the body as JSON: expected an array of commands at byte 0"}"#,
            ),
            ("GET /get/a", 200, r#"{"result":"2"}"#),
        ],
    );
}

#[test]
fn replies_come_in_base64_or_as_resp() {
    let server = start_guarded();
    let mut http = open(&server);
    let mut resp = connect(&server);
    resp.call(&[b"SET", &b"bytes"[..], b"\xff\0"]).unwrap();
    assert_eq!(get(&mut http, "/get/bytes").text(), "{\"result\":\"\u{fffd}\\u0000\"}");
    converse(
        &mut http,
        &[TOKEN, BASE64],
        &[
            ("GET /get/bytes", 200, r#"{"result":"/wA="}"#),
            ("GET /set/a/OK", 200, r#"{"result":"OK"}"#),
            ("GET /get/a", 200, r#"{"result":"T0s="}"#),
            ("GET /ping", 200, r#"{"result":"UE9ORw=="}"#),
            ("POST / [\"EVAL\",\"return {'a',{'b',1}}\",0]", 200, r#"{"result":["YQ==",["Yg==",1]]}"#),
            ("GET /incr/a", 400, r#"{"error":"ERR value is not an integer or out of range"}"#),
            (
                "POST /pipeline [[\"GET\",\"a\"],[\"X\"]]",
                200,
                "[{\"result\":\"T0s=\"},{\"error\":\"ERR unknown command \
             'X', with args beginning with: \"}]",
            ),
        ],
    );
    let raw = |target: &str, body: &[u8]| {
        let mut http = open(&server);
        let answer = http.call("POST", target, &[TOKEN, "Upstash-Response-Format: resp2"], body).unwrap();
        (answer.status, answer.header("content-type").to_owned(), answer.body.escape_ascii().to_string())
    };
    let octets = || "application/octet-stream".to_owned();
    assert_eq!(raw("/get/bytes", b""), (200, octets(), r"$2\r\n\xff\x00\r\n".into()));
    assert_eq!(raw("/incr/a", b""), (400, octets(), r"-ERR value is not an integer or out of range\r\n".into()));
    assert_eq!(raw("/pipeline", b"[[\"PING\"],[\"GET\",\"a\"]]"), (200, octets(), r"+PONG\r\n$2\r\nOK\r\n".into()));
    assert_eq!(
        raw("/multi-exec", b"[[\"PING\"]]"),
        (200, "application/json".into(), "[{\"result\":\"PONG\"}]".replace('"', "\\\""))
    );
    for headers in [
        &["Upstash-Response-Format: resp3"][..],
        &["Upstash-Response-Format: resp2", BASE64],
        &["Upstash-Encoding: rot13"],
    ] {
        let answer = http.call("GET", "/set/a/x", &[&[TOKEN], headers].concat(), b"").unwrap();
        assert_eq!(answer.status, 400, "{headers:?}");
    }
    assert_eq!(call(&mut resp, "GET a"), r"$2\r\nOK\r\n");
}

#[test]
fn keys_are_any_bytes() {
    let server = start_guarded();
    let mut http = open(&server);
    // What the serializer that Java programs begin with makes of "user:1".
    let key = b"\xac\xed\0\x05t\0\x06user:1";
    connect(&server).call(&[&b"SET"[..], key, b"v\0"]).unwrap();
    let path = "%ac%ed%00%05t%00%06user:1";
    for (method, target, body, expected) in [
        ("GET", format!("/strlen/{path}"), &b""[..], r#"{"result":2}"#),
        ("POST", "/type".to_owned(), key, r#"{"result":"string"}"#),
        ("GET", format!("/append/{path}/%00"), b"", r#"{"result":3}"#),
        ("GET", format!("/getrange/{path}/0/1"), b"", r#"{"result":"v\u0000"}"#),
        ("POST", format!("/expire/{path}"), b"100", r#"{"result":1}"#),
        ("GET", "/set/by-query/v?GET=%00".to_owned(), b"", r#"{"error":"ERR syntax error"}"#),
        ("GET", format!("/unlink/{path}"), b"", r#"{"result":1}"#),
    ] {
        let answer = http.call(method, &target, &[TOKEN], body).unwrap();
        assert_eq!(answer.text(), expected, "{target}");
    }
}

#[test]
fn tokens_and_passwords_say_who_somebody_is() {
    let server = start(&[]);
    let mut resp = connect(&server);
    let mut http = open(&server);
    let status = |http: &mut HttpConnection, target: &str, headers: &[&str]| {
        http.call("GET", target, headers, b"").unwrap().status
    };
    // Without a password anybody is the default user, whatever token a client was given.
    assert_eq!(status(&mut http, "/set/a/1", &[]), 200);
    assert_eq!(status(&mut http, "/set/a/1", &["Authorization: Bearer anything"]), 200);
    // With a token that is the only way in.
    assert_eq!(call(&mut resp, "CONFIG SET http-token secret http-readonly-token reader"), r"+OK\r\n");
    for headers in [
        &[][..],
        &["Authorization: Bearer wrong"],
        &["Authorization: Bearer "],
        &["Authorization: Bearer default:x"],
        &["Authorization: secret"],
        &["Authorization: Basic ZGVmYXVsdDp4"],
        &["Authorization: Basic ???"],
        &[TOKEN, TOKEN],
    ] {
        let answer = http.call("GET", "/set/a/2", headers, b"").unwrap();
        let body = r#"{"error":"WRONGPASS invalid or missing auth token"}"#;
        assert_eq!((answer.status, answer.text().as_str()), (401, body), "{headers:?}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    assert_eq!(status(&mut http, "/get/a?_token=wrong", &[]), 401);
    assert_eq!(status(&mut http, "/get/a?_token=secret", &[]), 200);
    assert_eq!(status(&mut http, "/get/a?_token=secret", &["Authorization: Bearer wrong"]), 401);
    assert_eq!(status(&mut http, "/get/a", &["authorization: bearer  secret "]), 200);
    assert_eq!(get(&mut http, "/acl/whoami").text(), r#"{"result":"default"}"#);
    // Other users have their passwords, as a token or as a login.
    assert_eq!(call(&mut resp, "ACL SETUSER ann on >pass ~a +get +acl|whoami"), r"+OK\r\n");
    for header in ["Authorization: Bearer ann:pass", "Authorization: Basic YW5uOnBhc3M="] {
        assert_eq!(http.call("GET", "/acl/whoami", &[header], b"").unwrap().text(), r#"{"result":"ann"}"#);
        assert_eq!(status(&mut http, "/get/a", &[header]), 200);
        assert_eq!(status(&mut http, "/get/b", &[header]), 400);
    }
    assert_eq!(status(&mut http, "/get/a", &["Authorization: Bearer ann:no"]), 401);
    assert!(call(&mut resp, "ACL LOG").contains("HTTP"));
    // A user that is switched off stays out, and a password that is set lets in.
    assert_eq!(call(&mut resp, "ACL SETUSER default off"), r"+OK\r\n");
    assert_eq!(status(&mut http, "/get/a", &[TOKEN]), 401);
    assert_eq!(call(&mut resp, "ACL SETUSER default on >word"), r"+OK\r\n");
    assert_eq!(status(&mut http, "/get/a", &["Authorization: Bearer word"]), 200);
}

#[test]
fn the_read_only_token_reads() {
    let server = start_guarded();
    call(&mut connect(&server), "SET a 1");
    let mut http = open(&server);
    let denied = |name: &str| {
        format!("{{\"error\":\"NOPERM User http-readonly has no permissions to run the '{name}' command\"}}")
    };
    let (set, keys, config, acl) = (denied("set"), denied("keys"), denied("config|get"), denied("acl|list"));
    let (eval, flush) = (denied("eval"), denied("flushall"));
    converse(
        &mut http,
        &[READ_ONLY],
        &[
            ("GET /get/a", 200, r#"{"result":"1"}"#),
            ("GET /scan/0", 200, r#"{"result":["0",["a"]]}"#),
            ("POST /multi-exec [[\"GET\",\"a\"],[\"TTL\",\"a\"]]", 200, r#"[{"result":"1"},{"result":-1}]"#),
            ("POST / [\"EVAL_RO\",\"return redis.call('GET',KEYS[1])\",1,\"a\"]", 200, r#"{"result":"1"}"#),
            ("GET /set/a/2", 400, &set),
            ("GET /keys/*", 400, &keys),
            ("GET /config/get/http-token", 400, &config),
            ("GET /acl/list", 400, &acl),
            ("GET /flushall", 400, &flush),
            ("POST / [\"EVAL\",\"return 1\",0]", 400, &eval),
            // A way to become somebody else there is not.
            ("GET /reset", 400, r#"{"error":"ERR Command is not available over HTTP: 'reset'"}"#),
            ("GET /auth/default/x", 400, r#"{"error":"ERR Command is not available over HTTP: 'auth'"}"#),
            ("GET /hello/3/AUTH/default/x", 400, r#"{"error":"ERR Command is not available over HTTP: 'hello'"}"#),
        ],
    );
    let pipeline = http.call("POST", "/pipeline", &[READ_ONLY], br#"[["RESET"],["SET","a",2],["GET","a"]]"#).unwrap();
    assert!(pipeline.text().ends_with(",{\"result\":\"1\"}]"), "{}", pipeline.text());
}

#[test]
fn requests_begin_anew() {
    let server = start_guarded();
    let mut http = open(&server);
    converse(
        &mut http,
        &[TOKEN],
        &[
            ("POST /pipeline [[\"SELECT\",3],[\"SET\",\"a\",3]]", 200, r#"[{"result":"OK"},{"result":"OK"}]"#),
            ("GET /exists/a", 200, r#"{"result":0}"#),
            ("GET /multi", 200, r#"{"result":"OK"}"#),
            ("GET /set/a/0", 200, r#"{"result":"OK"}"#),
            ("GET /watch/a", 200, r#"{"result":"OK"}"#),
            ("GET /client/setname/x", 200, r#"{"result":"OK"}"#),
            ("GET /client/getname", 200, r#"{"result":null}"#),
        ],
    );
    let list = get(&mut http, "/client/list").text();
    assert!(list.contains(" db=0 ") && list.contains(" watch=0 ") && list.contains(" multi=-1 "), "{list}");
}

#[test]
fn scripts_run_with_the_flags_of_upstash() {
    let server = start_guarded();
    let mut http = open(&server);
    converse(
        &mut http,
        &[TOKEN],
        &[
            (
                r##"POST / ["EVAL","#!lua flags=allow-key-locking\nreturn redis.call('SET', KEYS[1], ARGV[1])",1,"k",1763680000123456]"##,
                200,
                r#"{"result":"OK"}"#,
            ),
            ("GET /get/k", 200, r#"{"result":"1763680000123456"}"#),
        ],
    );
    let answer = get(&mut http, "/evalsha/0000000000000000000000000000000000000000/0");
    assert_eq!((answer.status, answer.text().starts_with("{\"error\":\"NOSCRIPT ")), (400, true));
}

#[test]
fn clients_wait_as_on_any_connection() {
    let server = start_guarded();
    let mut resp = connect(&server);
    let mut http = open(&server);
    http.send("GET", "/blpop/list/0", &[TOKEN], b"").unwrap();
    until_info(&mut resp, "blocked_clients:1");
    call(&mut resp, "RPUSH list a");
    assert_eq!(http.read().unwrap().text(), r#"{"result":["list","a"]}"#);
    assert_eq!(get(&mut http, "/blpop/list/0.001").text(), r#"{"result":null}"#);
    // In a pipeline each waits for the one before.
    http.send("POST", "/pipeline", &[TOKEN], br#"[["BLPOP","list",0],["SET","a",1]]"#).unwrap();
    until_info(&mut resp, "blocked_clients:1");
    assert_eq!(call(&mut resp, "EXISTS a"), r":0\r\n");
    call(&mut resp, "RPUSH list b");
    assert_eq!(http.read().unwrap().text(), r#"[{"result":["list","b"]},{"result":"OK"}]"#);
    // Who leaves takes nothing with him.
    http.send("GET", "/blpop/list/0", &[TOKEN], b"").unwrap();
    until_info(&mut resp, "blocked_clients:1");
    drop(http);
    until_info(&mut resp, "blocked_clients:0");
    until_info(&mut resp, "connected_clients:1");
    call(&mut resp, "RPUSH list c");
    assert_eq!(call(&mut resp, "LLEN list"), r":1\r\n");
    // CLIENT PAUSE holds requests back.
    let mut http = open(&server);
    call(&mut resp, "CLIENT PAUSE 1000000 WRITE");
    http.send("GET", "/set/a/2", &[TOKEN], b"").unwrap();
    until_info(&mut resp, "blocked_clients:1");
    assert_eq!(call(&mut resp, "GET a"), r"$1\r\n1\r\n");
    call(&mut resp, "CLIENT UNPAUSE");
    assert_eq!(http.read().unwrap().text(), r#"{"result":"OK"}"#);
    // CLIENT KILL ends the connection.
    http.send("GET", "/blpop/none/0", &[TOKEN], b"").unwrap();
    until_info(&mut resp, "blocked_clients:1");
    assert_eq!(call(&mut resp, "CLIENT KILL TYPE normal"), r":1\r\n");
    assert_eq!(http.read_to_close().unwrap(), b"");
}

#[test]
fn messages_come_as_events() {
    let server = start_guarded();
    let mut resp = connect(&server);
    let mut http = open(&server);
    let next = |http: &mut HttpConnection| String::from_utf8(http.read_chunk().unwrap()).unwrap();
    http.send("POST", "/subscribe/chat", &[TOKEN, "Accept: text/event-stream", BASE64], b"[]").unwrap();
    let head = http.read_head().unwrap();
    assert_eq!((head.status, head.header("content-type")), (200, "text/event-stream"));
    assert_eq!(next(&mut http), "data: subscribe,chat,1\n\n");
    assert_eq!(call(&mut resp, "PUBLISH chat hello"), r":1\r\n");
    assert_eq!(next(&mut http), "data: message,chat,hello\n\n");
    let mut patterns = open(&server);
    patterns.send("GET", "/psubscribe/c*?_token=reader", &[], b"").unwrap();
    assert_eq!(patterns.read_head().unwrap().status, 200);
    assert_eq!(next(&mut patterns), "data: psubscribe,c*,1\n\n");
    resp.call(&["PUBLISH", "chat", "a,b\nc"]).unwrap();
    assert_eq!(next(&mut http), "data: message,chat,a,b\ndata: c\n\n");
    assert_eq!(next(&mut patterns), "data: pmessage,c*,chat,a,b\ndata: c\n\n");
    drop(http);
    until_info(&mut resp, "pubsub_channels:0");
    let mut monitor = open(&server);
    monitor.send("POST", "/monitor", &[TOKEN], b"").unwrap();
    assert_eq!(monitor.read_head().unwrap().status, 200);
    assert_eq!(next(&mut monitor), "data: \"OK\"\n\n");
    call(&mut resp, "SET k v");
    let line = next(&mut monitor);
    assert!(line.starts_with("data: ") && line.ends_with("] \"SET\" \"k\" \"v\"\n\n"), "{line}");
    let denied = open(&server).call("GET", "/monitor", &[READ_ONLY], b"").unwrap();
    assert_eq!(denied.status, 400);
}

#[test]
fn streams_end_with_the_tokens_that_they_came_with() {
    let server = start_guarded();
    let mut resp = connect(&server);
    call(&mut resp, "ACL SETUSER alice on >pw ~* &* +@all");
    let begin = |token: &str| {
        let mut http = open(&server);
        http.send("GET", "/subscribe/chat", &[&format!("Authorization: Bearer {token}")], b"").unwrap();
        assert_eq!(http.read_head().unwrap().status, 200);
        http.read_chunk().unwrap();
        http
    };
    let (mut full, mut reader, mut user) = (begin("secret"), begin("reader"), begin("alice:pw"));
    // The same value is no change.
    call(&mut resp, "CONFIG SET http-token secret");
    assert_eq!(call(&mut resp, "PUBLISH chat a"), r":3\r\n");
    assert_eq!(full.read_chunk().unwrap(), b"data: message,chat,a\n\n");
    call(&mut resp, "CONFIG SET http-token other");
    assert_eq!(full.read_to_close().unwrap(), b"");
    until_info(&mut resp, "pubsub_clients:2");
    call(&mut resp, "CONFIG SET http-readonly-token reader2");
    reader.read_chunk().unwrap();
    assert_eq!(reader.read_to_close().unwrap(), b"");
    until_info(&mut resp, "pubsub_clients:1");
    user.read_chunk().unwrap();
    assert_eq!(call(&mut resp, "PUBLISH chat b"), r":1\r\n");
    assert_eq!(user.read_chunk().unwrap(), b"data: message,chat,b\n\n");
}

#[test]
fn metrics_are_for_those_who_may_see_them() {
    let server = start_guarded();
    let mut resp = connect(&server);
    call(&mut resp, "SET a 1");
    call(&mut resp, "SET b 1 EX 1000");
    call(&mut resp, "GET a");
    call(&mut resp, "CONFIG SET slowlog-log-slower-than 0");
    let mut http = open(&server);
    assert_eq!(http.call("GET", "/healthz", &[], b"").unwrap().text(), "ok\n");
    assert_eq!(http.call("GET", "/metrics", &[], b"").unwrap().status, 401);
    assert_eq!(http.call("POST", "/metrics", &[TOKEN], b"").unwrap().status, 405);
    for token in [TOKEN, READ_ONLY] {
        let answer = http.call("GET", "/metrics", &[token], b"").unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
        let text = answer.text();
        for line in [
            "redis_up 1",
            "# TYPE redis_connected_clients gauge",
            "redis_connected_clients 2",
            "redis_keyspace_hits_total 1",
            "redis_commands_total{cmd=\"set\"} 2",
            "redis_db_keys{db=\"db0\"} 2",
            "redis_db_keys_expiring{db=\"db0\"} 1",
            "redis_rdb_last_bgsave_status 1",
            "# HELP redis_connected_clients Clients that are connected.",
            "# TYPE redis_commands_latencies_usec histogram",
            "redis_commands_latencies_usec_bucket{cmd=\"set\",le=\"+Inf\"} 2",
            "redis_commands_latencies_usec_count{cmd=\"set\"} 2",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
        for name in [
            "redis_memory_used_bytes ",
            "redis_commands_processed_total ",
            "redis_commands_duration_seconds_total{cmd=\"get\"} ",
            "redis_latency_percentiles_usec{cmd=\"get\",quantile=\"99.9\"} ",
            "redis_slowlog_last_id ",
            "redis_start_time_seconds ",
            "redis_instance_info{role=\"master\",redis_version=\"",
        ] {
            assert!(text.lines().any(|line| line.starts_with(name)), "{name} in\n{text}");
        }
        let families = |word: &str| text.lines().filter(|line| line.starts_with(word)).count();
        assert_eq!(families("# HELP "), families("# TYPE "));
    }
    call(&mut resp, "ACL SETUSER ann on >pass ~* +get");
    assert_eq!(http.call("GET", "/metrics", &["Authorization: Bearer ann:pass"], b"").unwrap().status, 403);
    // Requests over HTTP are on the slow log, and their connections on the list, like any others.
    get(&mut http, "/set/slow/1");
    assert!(call(&mut resp, "SLOWLOG GET 20").contains(r"$3\r\nset\r\n$4\r\nslow\r\n"));
    assert!(call(&mut resp, "CLIENT LIST").contains("cmd=set "));
}

#[test]
fn the_port_can_be_moved_and_closed() {
    let server = start(&[]);
    let mut resp = connect(&server);
    let before = server.port_of("http-port");
    assert_eq!(call(&mut resp, "CONFIG SET http-port 0"), r"+OK\r\n");
    assert!(HttpConnection::open(before).is_err());
    assert_eq!(call(&mut resp, &format!("CONFIG SET http-port {before}")), r"+OK\r\n");
    assert_eq!(open(&server).call("GET", "/ping", &[], b"").unwrap().text(), r#"{"result":"PONG"}"#);
    let taken = call(&mut resp, &format!("CONFIG SET http-port {}", server.port()));
    assert!(taken.starts_with("-ERR"), "{taken}");
    assert_eq!(open(&server).call("GET", "/ping", &[], b"").unwrap().status, 200);
}
