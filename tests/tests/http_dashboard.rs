//! The dashboard over HTTP: its page, and the paths by which it looks at keys. Its script is tested in a browser
//! (`tests/clients/http/dashboard.test.mjs`).

use harness::http::HttpConnection;
use harness::{Connection, Server, ServerBuilder, call, server_under_test};

const READ_ONLY: &str = "Authorization: Bearer reader";
const BASE64: &str = "Upstash-Encoding: base64";

/// A server with both tokens.
fn start(args: &[&str]) -> Server {
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    let tokens = ["--http-token", "secret", "--http-readonly-token", "reader"];
    ServerBuilder::new(binary).free_port("http-port").args(tokens).args(args).start().expect("the server starts")
}

fn open(server: &Server) -> HttpConnection {
    HttpConnection::open(server.port_of("http-port")).expect("a connection")
}

fn connect(server: &Server) -> Connection {
    server.connect().expect("a connection")
}

#[test]
fn the_dashboard_is_a_page_without_data_that_runs_nothing_else() {
    let server = start(&[]);
    let mut http = open(&server);
    let page = http.call("GET", "/", &[], b"").unwrap();
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    for part in ["default-src 'none'", "script-src 'sha256-", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part) && !policy.contains("unsafe"), "{policy}");
    }
    assert!(page.text().starts_with("<!doctype html>"));
    // What it asks for needs a token.
    assert_eq!(http.call("POST", "/pipeline", &[], br#"[["INFO","all"]]"#).unwrap().status, 401);
    let answer = http.call("POST", "/pipeline", &[READ_ONLY], br#"[["INFO","all"],["LATENCY","HISTOGRAM"]]"#).unwrap();
    assert!(answer.status == 200 && !answer.text().contains("NOPERM"), "{}", answer.text());
}

#[test]
fn the_dashboard_looks_at_keys_without_using_them() {
    let server = start(&["--maxmemory-policy", "allkeys-lfu"]);
    let mut resp = connect(&server);
    call(&mut resp, "SELECT 3");
    call(&mut resp, "HSET h f v");
    resp.call(&[&b"SET"[..], b"\xff", b"v", b"PX", b"100000000"]).unwrap();
    call(&mut resp, "CONFIG RESETSTAT");
    let mut http = open(&server);
    let in_third = [READ_ONLY, "Spinel-Database: 3", BASE64];
    for _ in 0..300 {
        let page = http.call("POST", "/dashboard/keys", &in_third, br#"["0","COUNT",1000]"#).unwrap();
        assert_eq!(page.status, 200, "{}", page.text());
        let page = page.text();
        // The cursor is at its end; a hash without an expiry and a string that has one; keys as they are.
        assert!(page.starts_with(r#"{"result":["MA==",["#), "{page}");
        assert!(page.contains(r#"["aA==","aGFzaA==","#) && page.contains(",-1,5]"), "{page}");
        assert!(page.contains(r#"["/w==","c3RyaW5n","#) && page.contains(",99999"), "{page}");
    }
    let stats = call(&mut resp, "INFO stats");
    assert!(stats.contains("keyspace_hits:0") && stats.contains("keyspace_misses:0"), "{stats}");
    assert_eq!(call(&mut resp, "OBJECT FREQ h"), r":5\r\n");
    // The page is one of SCAN, and so are its errors.
    for (headers, method, body, status, answer) in [
        (
            &[READ_ONLY, "Spinel-Database: 3"][..],
            "POST",
            r#"["0","MATCH","h","TYPE","string"]"#,
            200,
            r#"{"result":["0",[]]}"#,
        ),
        (&[READ_ONLY], "POST", r#"["0","COUNT",10]"#, 200, r#"{"result":["0",[]]}"#),
        (&[READ_ONLY], "POST", r#"["x"]"#, 400, r#"{"error":"ERR invalid cursor"}"#),
        (&[READ_ONLY, "Spinel-Database: 99"], "POST", r#"["0"]"#, 400, r#"{"error":"ERR DB index is out of range"}"#),
        (
            &[READ_ONLY, "Spinel-Database: x"],
            "POST",
            r#"["0"]"#,
            400,
            r#"{"error":"ERR value is not an integer or out of range"}"#,
        ),
        (&[READ_ONLY], "GET", "", 405, r#"{"error":"ERR GET is not for this path"}"#),
        (&[], "POST", r#"["0"]"#, 401, r#"{"error":"WRONGPASS invalid or missing auth token"}"#),
    ] {
        let got = http.call(method, "/dashboard/keys", headers, body.as_bytes()).unwrap();
        assert_eq!((got.status, got.text().as_str()), (status, answer), "{body}");
    }
    // The database is that of one request, whatever it asks for.
    let exists =
        |http: &mut HttpConnection, headers: &[&str]| http.call("GET", "/exists/h", headers, b"").unwrap().text();
    assert_eq!(exists(&mut http, &[READ_ONLY, "Spinel-Database: 3"]), r#"{"result":1}"#);
    assert_eq!(exists(&mut http, &[READ_ONLY]), r#"{"result":0}"#);
}

#[test]
fn the_dashboard_tells_nothing_of_keys_that_are_not_a_users_business() {
    let server = start(&[]);
    let mut resp = connect(&server);
    call(&mut resp, "MSET mine 1 theirs 2");
    call(&mut resp, "ACL SETUSER ann on >pw ~mine +scan +memory|usage");
    call(&mut resp, "ACL SETUSER bob on >pw ~* +get");
    let mut http = open(&server);
    let mut keys = |user: &str| {
        let user = format!("Authorization: Bearer {user}:pw");
        http.call("POST", "/dashboard/keys", &[&user], br#"["0"]"#).unwrap().text()
    };
    let page = keys("ann");
    assert!(page.contains(r#"["theirs"]"#) && page.contains(r#"["mine","string","#), "{page}");
    let refusal = keys("bob");
    assert_eq!(refusal, r#"{"error":"NOPERM User bob has no permissions to run the 'scan' command"}"#);
}

/// What the dashboard tells of a key.
fn look_at(http: &mut HttpConnection, headers: &[&str], key: &[u8]) -> (u16, String) {
    let answer = http.call("POST", "/dashboard/value", headers, key).unwrap();
    (answer.status, answer.text())
}

#[test]
fn the_dashboard_shows_values_without_using_them() {
    let server = start(&[]);
    let mut resp = connect(&server);
    let mut http = open(&server);
    resp.call(&[&b"SET"[..], b"\xac\xed\0\x05", b"v\0", b"PX", b"100000000"]).unwrap();
    for line in [
        "RPUSH list 1 two",
        "SADD set 7",
        "HSET hash f v",
        "HSET timed f v",
        "HPEXPIRE timed 100000000 FIELDS 1 f",
        "ZADD zset 1.5 low 2 high",
        "XADD stream 1-1 a 1 b 2",
        "XADD stream 2-1 c 3",
    ] {
        assert!(!call(&mut resp, line).starts_with('-'), "{line}");
    }
    call(&mut resp, "CONFIG RESETSTAT");
    for (key, kind, rest) in [
        ("list", "list", r#"-1,"listpack",2,[["1"],["two"]]]}"#),
        ("set", "set", r#"-1,"intset",1,[["7"]]]}"#),
        ("hash", "hash", r#"-1,"listpack",1,[["f","v"]]]}"#),
        ("timed", "hash", r#"-1,"listpackex",1,[["f","v"]]]}"#),
        ("zset", "zset", r#"-1,"listpack",2,[["high","2"],["low","1.5"]]]}"#),
        ("stream", "stream", r#"-1,"stream",2,[["2-1",1,"c","3"],["1-1",2,"a","1","b","2"]]]}"#),
    ] {
        let (status, shown) = look_at(&mut http, &[READ_ONLY], key.as_bytes());
        assert_eq!(status, 200, "{shown}");
        assert!(shown.starts_with(&format!("{{\"result\":[\"{kind}\",")) && shown.ends_with(rest), "{shown}");
    }
    let (_, shown) = look_at(&mut http, &[READ_ONLY], b"\xac\xed\0\x05");
    assert!(shown.contains(",99999") && shown.ends_with("\"embstr\",2,[[\"v\\u0000\"]]]}"), "{shown}");
    assert_eq!(look_at(&mut http, &[READ_ONLY], b"none"), (200, r#"{"result":null}"#.to_owned()));
    assert_eq!(look_at(&mut http, &[READ_ONLY, "Spinel-Database: 1"], b"list").1, r#"{"result":null}"#);
    let stats = call(&mut resp, "INFO stats");
    assert!(stats.contains("keyspace_hits:0") && stats.contains("keyspace_misses:0"), "{stats}");
    // Those who may not have all of it get nothing.
    call(&mut resp, "ACL SETUSER ann on >pw ~list +dump +memory|usage");
    call(&mut resp, "ACL SETUSER bob on >pw ~* +get +memory|usage");
    let mut denied = |user: &str, key: &[u8]| look_at(&mut http, &[&format!("Authorization: Bearer {user}:pw")], key);
    assert_eq!(denied("ann", b"list").0, 200);
    assert_eq!(denied("ann", b"set"), (400, r#"{"error":"NOPERM No permissions to access a key"}"#.to_owned()));
    let refusal = r#"{"error":"NOPERM User bob has no permissions to run the 'dump' command"}"#;
    assert_eq!(denied("bob", b"list"), (400, refusal.to_owned()));
}

#[test]
fn the_dashboard_cuts_what_is_long() {
    let server = start(&[]);
    let mut resp = connect(&server);
    let mut http = open(&server);
    let long = vec![b'x'; 1 << 20];
    resp.call(&[&b"SET"[..], b"string", &long]).unwrap();
    for _ in 0..30 {
        resp.call(&[&b"RPUSH"[..], b"list", &long]).unwrap();
    }
    resp.call(&[&b"HSET"[..], b"hash", &long, &long, b"short", b"1"]).unwrap();
    resp.call(&[&b"SADD"[..], b"set", &long]).unwrap();
    resp.call(&[&b"ZADD"[..], b"zset", b"1", &long]).unwrap();
    resp.call(&[&b"XADD"[..], b"stream", b"1-1", &long, &long]).unwrap();
    let part = format!("[\"{}\",1048576]", "x".repeat(4096));
    for (key, expected) in [
        ("string", format!("1048576,[[[\"{}\",1048576]]]]}}", "x".repeat(65536))),
        ("list", format!("30,[{}]]}}", vec![format!("[{part}]"); 30].join(","))),
        ("set", format!("1,[[{part}]]]}}")),
        ("zset", format!("1,[[{part},\"1\"]]]}}")),
        ("stream", format!("1,[[\"1-1\",1,{part},{part}]]]}}")),
    ] {
        let (_, shown) = look_at(&mut http, &[READ_ONLY], key.as_bytes());
        assert!(shown.ends_with(&expected), "{key}: {} bytes", shown.len());
    }
    let (_, shown) = look_at(&mut http, &[READ_ONLY], b"hash");
    assert!(shown.contains(&format!("[{part},{part}]")) && shown.contains(r#"["short","1"]"#), "{}", shown.len());
    // However many there are.
    let fill = "for i = 1, 1000 do
            redis.call('RPUSH', 'many', string.rep('x', 10))
            redis.call('HSET', 'much', i .. string.rep('y', 5000), string.rep('z', 5000))
        end
        local wide = {'XADD', 'wide', '1-1'}
        for i = 1, 1000 do wide[#wide + 1] = 'f' .. i wide[#wide + 1] = 'v' end
        redis.call(unpack(wide))";
    resp.call(&["EVAL", fill, "0"]).unwrap();
    let elements = |shown: &str, element: &str| shown.matches(element).count();
    assert_eq!(elements(&look_at(&mut http, &[READ_ONLY], b"many").1, "[\"xxxxxxxxxx\"]"), 100);
    let (_, wide) = look_at(&mut http, &[READ_ONLY], b"wide");
    assert!(wide.contains("[\"1-1\",1000,\"f1\",\"v\"") && elements(&wide, "\"v\"") == 50, "{wide}");
    // Half a megabyte is enough.
    assert_eq!(elements(&look_at(&mut http, &[READ_ONLY], b"much").1, &format!("[\"{}\",5000]", "z".repeat(4096))), 64);
}
