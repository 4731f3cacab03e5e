//! DUMP, RESTORE, FUNCTION DUMP and FUNCTION RESTORE through the socket. What Redis makes of our payloads, and we of its,
//! is tested beside the comparison of replies.

use harness::{Connection, Reply, Server, call, converse, escape, server_under_test};

fn start(args: &[&str]) -> (Server, Connection) {
    let args = [&["--enable-debug-command", "yes"], args].concat();
    let server = Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), &args).expect("it starts");
    let connection = server.connect().expect("a connection");
    (server, connection)
}

fn dump(connection: &mut Connection, key: &str) -> Vec<u8> {
    connection.call(&["DUMP", key]).expect("a reply").payload().to_vec()
}

fn restore(connection: &mut Connection, key: &str, payload: &[u8], options: &[&str]) -> String {
    let mut request = vec![&b"RESTORE"[..], key.as_bytes(), b"0", payload];
    request.extend(options.iter().map(|option| option.as_bytes()));
    escape(&connection.call(&request).expect("a reply").0)
}

const OK: &str = "+OK\\r\\n";
const BAD: &str = "-ERR Bad data format\\r\\n";

#[test]
fn restoring_is_an_event_and_a_change() {
    let (server, mut client) = start(&["--notify-keyspace-events", "KEAnoc"]);
    converse(&mut client, &[("SET a 1", "+OK\\r\\n"), ("SADD b x", ":1\\r\\n")]);
    let payload = dump(&mut client, "a");
    let mut listener = server.connect().expect("a connection");
    call(&mut listener, "PSUBSCRIBE __keyevent@0__:* end");
    listener.read().expect("another confirmation");
    assert_eq!(restore(&mut client, "c", &payload, &[]), OK);
    assert_eq!(restore(&mut client, "c", &payload, &[]), "-BUSYKEY Target key name already exists.\\r\\n");
    assert_eq!(restore(&mut client, "b", &payload, &["REPLACE"]), OK);
    // Expired on the way.
    let expired = [&b"RESTORE"[..], b"b", b"1", &payload, b"ABSTTL", b"REPLACE"];
    assert_eq!(escape(&client.call(&expired).unwrap().0), OK);
    call(&mut client, "PUBLISH end end");
    let mut events = Vec::new();
    loop {
        let message = listener.read().expect("a message").elements();
        let text = |reply: &Reply| String::from_utf8_lossy(reply.payload()).into_owned();
        match text(&message[2]).strip_prefix("__keyevent@0__:") {
            Some(event) => events.push(format!("{}:{event}", text(&message[3]))),
            None => break,
        }
    }
    let expected = ["c:new", "c:restore", "b:new", "b:restore", "b:overwritten", "b:type_changed", "b:del"];
    assert_eq!(events, expected);
    assert_eq!(call(&mut client, "EXISTS b"), ":0\\r\\n");
}

#[test]
fn whoever_waits_for_a_restored_list_is_served() {
    let (server, mut client) = start(&[]);
    converse(&mut client, &[("RPUSH a x y", ":2\\r\\n")]);
    let payload = dump(&mut client, "a");
    let mut waiting = server.connect().expect("a connection");
    waiting.send(&["BLPOP", "b", "0"]).expect("sent");
    while !call(&mut client, "INFO clients").contains("blocked_clients:1") {}
    assert_eq!(restore(&mut client, "b", &payload, &[]), OK);
    assert_eq!(escape(&waiting.read().expect("a reply").0), "*2\\r\\n$1\\r\\nb\\r\\n$1\\r\\nx\\r\\n");
}

#[test]
fn use_before_the_dump_is_kept() {
    let (_server, mut client) = start(&[]);
    converse(&mut client, &[("SET a 1", "+OK\\r\\n")]);
    let payload = dump(&mut client, "a");
    assert_eq!(restore(&mut client, "b", &payload, &["IDLETIME", "1000"]), OK);
    let idle = call(&mut client, "OBJECT IDLETIME b");
    let idle: u32 = idle.trim_start_matches(':').trim_end_matches("\\r\\n").parse().expect("a number");
    assert!((1000..1060).contains(&idle), "{idle}");
    converse(&mut client, &[("CONFIG SET maxmemory-policy allkeys-lfu", "+OK\\r\\n")]);
    assert_eq!(restore(&mut client, "c", &payload, &["FREQ", "100"]), OK);
    converse(&mut client, &[("OBJECT FREQ c", ":100\\r\\n")]);
    assert_eq!(
        restore(&mut client, "d", &payload, &["FREQ", "256"]),
        "-ERR Invalid FREQ value, must be >= 0 and <= 255\\r\\n"
    );
}

#[test]
fn damage_is_noticed() {
    let (_server, mut client) = start(&[]);
    converse(
        &mut client,
        &[
            ("RPUSH list a 1 b 70000", ":4\\r\\n"),
            ("HSET hash f v g 2", ":2\\r\\n"),
            ("XADD stream 1-1 f v", "$3\\r\\n1-1\\r\\n"),
            ("XGROUP CREATE stream g 0", "+OK\\r\\n"),
            ("ZADD zset 1 a 2.5 b", ":2\\r\\n"),
        ],
    );
    for key in ["list", "hash", "stream", "zset"] {
        let payload = dump(&mut client, key);
        for place in 0..payload.len() {
            let mut damaged = payload.clone();
            damaged[place] ^= 0x10;
            let refused = "-ERR DUMP payload version or checksum are wrong\\r\\n";
            assert_eq!(restore(&mut client, "copy", &damaged, &[]), refused);
        }
    }
    converse(&mut client, &[("DEBUG SET-SKIP-CHECKSUM-VALIDATION 1", "+OK\\r\\n")]);
    let payload = dump(&mut client, "hash");
    // A listpack without its last entry, one that claims another length, and one with something behind it.
    for damaged in [
        [&payload[..payload.len() - 12], &payload[payload.len() - 10..]].concat(),
        [&payload[..1], &[payload[1] + 1], &payload[2..]].concat(),
        [&payload[..payload.len() - 10], b"x", &payload[payload.len() - 10..]].concat(),
    ] {
        assert_eq!(restore(&mut client, "copy", &damaged, &[]), BAD);
    }
    converse(&mut client, &[("EXISTS copy", ":0\\r\\n"), ("DBSIZE", ":4\\r\\n")]);
}

#[test]
fn what_was_released_can_be_claimed_at_once() {
    let (_server, mut client) = start(&[]);
    let consumers = "*1\\r\\n*2\\r\\n$2\\r\\nc1\\r\\n$1\\r\\n1\\r\\n";
    converse(
        &mut client,
        &[
            ("XADD s 1-1 f v", "$3\\r\\n1-1\\r\\n"),
            ("XGROUP CREATE s g 0", "+OK\\r\\n"),
            (
                "XREADGROUP GROUP g c1 STREAMS s >",
                "*1\\r\\n*2\\r\\n$1\\r\\ns\\r\\n*1\\r\\n*2\\r\\n$3\\r\\n1-1\\r\\n*2\\r\\n$1\\r\\nf\\r\\n$1\\r\\nv\\r\\n",
            ),
            ("XNACK s g FAIL IDS 1 1-1", ":1\\r\\n"),
        ],
    );
    let payload = dump(&mut client, "s");
    assert_eq!(restore(&mut client, "t", &payload, &[]), OK);
    let pending = call(&mut client, "XPENDING t g");
    assert!(pending.ends_with(consumers), "{pending}");
    let claimed = "*3\\r\\n$3\\r\\n0-0\\r\\n*1\\r\\n$3\\r\\n1-1\\r\\n*0\\r\\n";
    converse(&mut client, &[("XAUTOCLAIM t g c2 100000 - JUSTID", claimed)]);
    // When nobody is left, there is somebody without a name.
    converse(&mut client, &[("XGROUP DELCONSUMER s g c1", ":0\\r\\n")]);
    let payload = dump(&mut client, "s");
    assert_eq!(restore(&mut client, "u", &payload, &[]), OK);
    converse(&mut client, &[("XAUTOCLAIM u g c2 100000 - JUSTID", claimed)]);
}

const FIRST: &str = "#!lua name=first\nredis.register_function('f1', function() return 1 end)";
const SECOND: &str = "#!lua name=second\nredis.register_function('f2', function() return 2 end)";
/// Another library with a function of the first.
const THIRD: &str = "#!lua name=third\nredis.register_function('F1', function() return 3 end)";

#[test]
fn libraries_are_restored_all_or_none() {
    let (server, mut client) = start(&["--io-threads", "2"]);
    let load = |client: &mut Connection, code: &str| escape(&client.call(&["FUNCTION", "LOAD", code]).unwrap().0);
    let functions = |client: &mut Connection| client.call(&["FUNCTION", "DUMP"]).unwrap().payload().to_vec();
    let restore = |client: &mut Connection, payload: &[u8], policy: &str| {
        escape(&client.call(&[&b"FUNCTION"[..], b"RESTORE", payload, policy.as_bytes()]).unwrap().0)
    };
    let nothing = functions(&mut client);
    assert_eq!(load(&mut client, FIRST), "$5\\r\\nfirst\\r\\n");
    let one = functions(&mut client);
    assert_eq!(load(&mut client, SECOND), "$6\\r\\nsecond\\r\\n");
    let two = functions(&mut client);
    assert_eq!(restore(&mut client, &two, "APPEND"), "-ERR Library first already exists\\r\\n");
    assert_eq!(restore(&mut client, &two, "REPLACE"), OK);
    assert_eq!(restore(&mut client, &one, "flush"), OK);
    // The other worker, too, has but this one.
    let mut other = server.connect().expect("a connection");
    converse(&mut other, &[("FCALL f1 0", ":1\\r\\n"), ("FCALL f2 0", "-ERR Function not found\\r\\n")]);
    assert_eq!(restore(&mut client, &nothing, "FLUSH"), OK);
    assert_eq!(load(&mut client, THIRD), "$5\\r\\nthird\\r\\n");
    assert_eq!(restore(&mut client, &two, "REPLACE"), "-ERR Function f1 already exists\\r\\n");
    converse(&mut other, &[("FCALL f2 0", "-ERR Function not found\\r\\n"), ("FCALL f1 0", ":3\\r\\n")]);
    assert_eq!(restore(&mut client, &one[1..], "FLUSH"), "-ERR DUMP payload version or checksum are wrong\\r\\n");
    let unknown = "-ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.\\r\\n";
    assert_eq!(restore(&mut client, &one, "bad"), unknown);
    converse(&mut client, &[("SET k v", "+OK\\r\\n")]);
    let value = dump(&mut client, "k");
    assert_eq!(restore(&mut client, &value, "FLUSH"), "-ERR given type is not a function\\r\\n");
}
