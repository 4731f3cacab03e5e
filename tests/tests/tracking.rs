//! Client-side caching: who is told what, and in which order with replies.

use std::collections::HashMap;
use std::sync::Barrier;
use std::thread;

use harness::{Connection, Server, encode, seed, server_under_test};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

fn start(args: &[&str]) -> Server {
    Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), args).expect("the server starts")
}

fn connect(server: &Server) -> Connection {
    server.connect().expect("a connection")
}

/// A client that speaks RESP3.
fn resp3(server: &Server) -> Connection {
    let mut connection = connect(server);
    assert!(call(&mut connection, "HELLO 3").starts_with("%7"));
    connection
}

/// A client that speaks RESP3 and tracks keys.
fn tracker(server: &Server, options: &str) -> Connection {
    let mut connection = resp3(server);
    assert_eq!(call(&mut connection, format!("CLIENT TRACKING ON {options}").trim_end()), "+OK|");
    connection
}

fn words(command: &str) -> Vec<&str> {
    command.split(' ').collect()
}

/// The next reply or push, its line breaks as `|`.
fn read(connection: &mut Connection) -> String {
    connection.read().expect("a reply").0.escape_ascii().to_string().replace("\\r\\n", "|")
}

fn call(connection: &mut Connection, command: &str) -> String {
    connection.send(&words(command)).expect("sent");
    read(connection)
}

/// Sends commands in one go, separated by `;`, and a PING behind them. All that comes back before its reply.
fn converse(connection: &mut Connection, commands: &str) -> String {
    let bytes: Vec<u8> = commands.split("; ").flat_map(|command| encode(&words(command))).collect();
    connection.send_bytes(&bytes).expect("sent");
    heard(connection)
}

/// All that has been sent to a client so far.
fn heard(connection: &mut Connection) -> String {
    connection.send(&["PING", "end"]).expect("sent");
    let mut all = String::new();
    loop {
        match read(connection) {
            end if end.ends_with("$3|end|") => return all,
            reply => all += &reply,
        }
    }
}

/// The messages that some keys are to be thrown away, one for each.
fn stale(keys: &str) -> String {
    keys.split(' ').map(|key| format!(">2|$10|invalidate|*1|${}|{key}|", key.len())).collect()
}

/// The message that several keys are to be thrown away.
fn all_stale(keys: &str) -> String {
    let keys: Vec<String> = keys.split(' ').map(|key| format!("${}|{key}|", key.len())).collect();
    format!(">2|$10|invalidate|*{}|{}", keys.len(), keys.concat())
}

const EVERYTHING: &str = ">2|$10|invalidate|_|";

#[test]
fn whoever_has_read_a_key_hears_of_its_next_change() {
    let server = start(&[]);
    let (mut reader, mut writer) = (tracker(&server, ""), connect(&server));
    for (read, written, told) in [
        ("GET a", "SET a 1", "a"),
        ("MGET a b c", "MSET c 1 b 1", "c b"),
        ("GET a", "RENAME a d", "a"),
        ("EXISTS d e", "COPY d e", "e"),
        ("STRLEN e", "MOVE e 1", "e"),
        ("TTL d", "EXPIRE d 100", "d"),
        ("GET d", "PERSIST d", "d"),
        ("LRANGE d 0 -1", "GETDEL d", "d"),
        ("HGET h f", "HSET h f 1 g 2", "h"),
        ("HGETALL h", "HPEXPIRE h 100000 FIELDS 1 f", "h"),
        ("HLEN h", "HDEL h f g", "h"),
        ("SINTERCARD 2 s1 s2", "SADD s2 x", "s2"),
        ("ZUNION 2 z1 z2", "EVAL redis.call('zadd','z1',1,'a') 0", "z1"),
        ("XREAD STREAMS x y 0 0", "XADD y 1-1 a b", "y"),
        ("PFCOUNT p", "PFADD p a", "p"),
        ("SORT_RO l", "RPUSH l 1", "l"),
        ("LRANGE l2 0 -1", "SORT l STORE l2", "l2"),
        ("GETBIT bits 1", "BITOP NOT bits b", "bits"),
    ] {
        converse(&mut reader, read);
        call(&mut writer, written);
        assert_eq!(heard(&mut reader), stale(told), "{read}, {written}");
        call(&mut writer, written);
    }
    // What changes nothing, what only writes, and what was told already.
    for (read, written) in [
        ("GET b", "SETNX b 2"),
        ("SMEMBERS s2", "SADD s2 x"),
        ("XLEN y", "XGROUP CREATE y g 0"),
        ("GETEX k", "SET k 1"),
        ("WATCH k", "SET k 1"),
        ("SET k 1", "SET k 1"),
        ("EVAL return(1) 1 k", "SET k 1"),
        ("DBSIZE", "SET k 1"),
    ] {
        converse(&mut reader, read);
        call(&mut writer, written);
        assert_eq!(heard(&mut reader), "", "{read}, {written}");
    }
}

#[test]
fn own_changes_are_told_behind_the_reply() {
    let server = start(&[]);
    let mut client = tracker(&server, "");
    let x = &stale("x");
    for (commands, expected) in [
        ("GET x; SET x 1; GET x", format!("_|+OK|{x}$1|1|")),
        ("MULTI; SET x 2; GET x; EXEC", format!("+OK|+QUEUED|+QUEUED|*2|+OK|$1|2|{x}")),
        ("SET x 3", format!("+OK|{x}")),
        ("EVAL redis.call('get','x')redis.call('set','x',1) 0", format!("_|{x}")),
        // Read once more after the change.
        ("EVAL redis.call('set','x',1)redis.call('get','x') 0", "_|".to_string()),
        ("FLUSHALL ASYNC; PING", format!("+OK|{EVERYTHING}+PONG|")),
        ("FLUSHALL; PING", format!("{EVERYTHING}+OK|+PONG|")),
        ("MULTI; FLUSHDB; PING; EXEC", format!("+OK|+QUEUED|+QUEUED|*2|+OK|+PONG|{EVERYTHING}")),
        ("GET x; CLIENT REPLY SKIP; SET x 2", format!("_|{x}")),
        ("GET x; CLIENT TRACKING OFF; SET x 1", "$1|2|+OK|+OK|".to_string()),
    ] {
        assert_eq!(converse(&mut client, commands), expected, "{commands}");
    }
    let mut silent = tracker(&server, "NOLOOP");
    assert_eq!(converse(&mut silent, "GET x; SET x 2; EVAL redis.call('set','x',1) 0"), "$1|1|+OK|_|");
    converse(&mut silent, "GET x");
    call(&mut client, "SET x 5");
    assert_eq!(heard(&mut silent), *x);
}

#[test]
fn optin_and_optout() {
    let server = start(&[]);
    let mut writer = connect(&server);
    let mut told = |client: &mut Connection, commands: &str| {
        converse(client, commands);
        call(&mut writer, "MSET a 1 b 1 c 1");
        heard(client)
    };
    let mut optin = tracker(&server, "OPTIN");
    assert_eq!(told(&mut optin, "GET a"), "");
    assert_eq!(told(&mut optin, "CLIENT CACHING YES; CLIENT ID; GET a; GET b"), stale("a"));
    // Any other request uses it up, whatever comes of it.
    assert_eq!(told(&mut optin, "CLIENT CACHING YES; NOTHING; GET a"), "");
    assert_eq!(told(&mut optin, "CLIENT CACHING YES; GET; GET a"), "");
    assert_eq!(told(&mut optin, "CLIENT CACHING YES; MULTI; GET a; GET b; EXEC; GET c"), stale("a b"));
    assert_eq!(told(&mut optin, "MULTI; GET a; CLIENT CACHING YES; GET b; EXEC; GET c"), stale("b"));
    assert_eq!(told(&mut optin, "CLIENT CACHING YES; EVAL redis.call('get','c') 0"), stale("c"));
    assert_eq!(told(&mut optin, "CLIENT CACHING YES; CLIENT TRACKING OFF; CLIENT TRACKING ON OPTIN; GET a"), "");
    let mut optout = tracker(&server, "OPTOUT");
    assert_eq!(told(&mut optout, "GET a; CLIENT CACHING NO; GET b; GET c"), stale("a c"));
    // It lasts as long as a command waits.
    call(&mut optin, "CLIENT CACHING YES");
    optin.send(&words("XREAD BLOCK 0 STREAMS s $")).expect("sent");
    until_blocked(&mut writer, 1);
    call(&mut writer, "XADD s 1-1 a b");
    assert_eq!(read(&mut optin), stale("s"));
    assert_eq!(read(&mut optin), "%1|$1|s|*1|*2|$3|1-1|*2|$1|a|$1|b|");
    call(&mut writer, "XADD s 2-1 a b");
    assert_eq!(heard(&mut optin), stale("s"));
}

fn until_blocked(connection: &mut Connection, clients: usize) {
    while !call(connection, "INFO clients").contains(&format!("|blocked_clients:{clients}|")) {
        thread::yield_now();
    }
}

#[test]
fn a_client_that_waited_gets_its_reply_first() {
    let server = start(&[]);
    let mut writer = connect(&server);
    for (mode, before, behind) in [
        ("", "from", stale("to")),
        ("NOLOOP", "from", String::new()),
        ("BCAST", "", all_stale("from other to")),
        ("BCAST NOLOOP", "", all_stale("other")),
    ] {
        let mut client = tracker(&server, mode);
        converse(&mut client, "LRANGE from 0 -1; LRANGE to 0 -1");
        client.send(&words("BLMOVE from to LEFT LEFT 0")).expect("sent");
        until_blocked(&mut writer, 1);
        let commands = ["MULTI", "RPUSH from x", "SET other 1", "EXEC"];
        let bytes: Vec<u8> = commands.iter().flat_map(|command| encode(&words(command))).collect();
        writer.send_bytes(&bytes).expect("sent");
        (0..commands.len()).for_each(|_| drop(read(&mut writer)));
        if !before.is_empty() {
            assert_eq!(read(&mut client), stale(before), "{mode}");
        }
        assert_eq!(read(&mut client), "$1|x|", "{mode}");
        assert_eq!(heard(&mut client), behind, "{mode}");
        call(&mut writer, "DEL to other");
    }
}

#[test]
fn time_and_want_of_memory_are_changes() {
    let server = start(&["--enable-debug-command", "yes"]);
    let (mut reader, mut other) = (tracker(&server, ""), connect(&server));
    // Found by the active cycle.
    converse(&mut reader, "SET a 1 PX 500; GET a; HSET h f 1 g 1; HPEXPIRE h 500 FIELDS 1 f; HGET h g");
    let mut two = [read(&mut reader), read(&mut reader)];
    two.sort();
    assert_eq!(two.concat(), stale("a h"));
    // Met by somebody.
    assert_eq!(call(&mut other, "DEBUG SET-ACTIVE-EXPIRE 0"), "+OK|");
    for (value, get) in [("SET a 1 PX 300", "GET a"), ("SET a 1 PX 300", "EXISTS a")] {
        converse(&mut reader, &format!("{value}; {get}"));
        while call(&mut other, "GET a") != "$-1|" {
            thread::yield_now();
        }
        assert_eq!(heard(&mut reader), stale("a"));
    }
    converse(&mut reader, "HSET h f 1; HPEXPIRE h 300 FIELDS 1 f; HLEN h");
    while call(&mut other, "HGET h f") != "$-1|" {
        thread::yield_now();
    }
    assert_eq!(heard(&mut reader), stale("h"));
    // Met by the reader, who is remembered for having found nothing.
    converse(&mut reader, "SET a 1 PX 300; GET a");
    let mut met = converse(&mut reader, "GET a");
    while met.starts_with('$') {
        met = converse(&mut reader, "GET a");
    }
    assert_eq!(met, format!("_|{}", stale("a")));
    call(&mut other, "SET a 1");
    assert_eq!(heard(&mut reader), stale("a"));
    // Evicted on account of the next command, which is replied to afterwards.
    converse(&mut reader, "CONFIG SET maxmemory-policy allkeys-random; FLUSHALL; SET a 1; GET a");
    converse(&mut reader, "MULTI; CONFIG SET maxmemory 1; EXEC");
    assert_eq!(converse(&mut reader, "CONFIG SET maxmemory 0; EXISTS a"), "+OK|:0|");
}

#[test]
fn broadcasts() {
    let server = start(&[]);
    let (mut all, mut some) = (tracker(&server, "BCAST"), tracker(&server, "BCAST PREFIX ab PREFIX c NOLOOP"));
    let mut writer = connect(&server);
    converse(&mut writer, "MSET c 1 abc 1 x 1; SET ab 1; SET c 2");
    assert_eq!(heard(&mut all), all_stale("ab abc c x"));
    assert_eq!(heard(&mut some), all_stale("ab abc") + &all_stale("c"));
    // One message for all that came together, behind the replies.
    let mut bytes = encode(&["SET", "k", "1"]);
    bytes.extend(encode(&["DEL", "x", "nothing"]));
    all.send_bytes(&bytes).expect("sent");
    let replies: String = (0..3).map(|_| read(&mut all)).collect();
    assert_eq!(replies, format!("+OK|:1|{}", all_stale("k x")));
    // Whoever changed a key last is spared, unless it was a script of his.
    let own = converse(&mut some, "SET c 1; SET abc 1; EVAL redis.call('set','cc',1) 0") + &heard(&mut some);
    assert_eq!(own, "+OK|+OK|_|".to_string() + &all_stale("cc"));
    assert_eq!(heard(&mut all), all_stale("abc c cc"));
    call(&mut writer, "FLUSHALL");
    assert_eq!([heard(&mut all), heard(&mut some)], [EVERYTHING, EVERYTHING]);
    // Prefixes are added to; keys that were read before count no more.
    converse(&mut some, "CLIENT TRACKING ON BCAST PREFIX d");
    converse(&mut writer, "MSET d 1 e 1 c 1");
    assert_eq!(heard(&mut some), all_stale("c") + &all_stale("d"));
    converse(
        &mut some,
        "CLIENT TRACKING OFF; CLIENT TRACKING ON; GET c; CLIENT TRACKING OFF; CLIENT TRACKING ON BCAST",
    );
    call(&mut writer, "SET c 1");
    assert_eq!(heard(&mut some), all_stale("c"));
}

#[test]
fn messages_can_go_to_another_client() {
    let server = start(&[]);
    let (mut client, mut target, mut writer) = (connect(&server), connect(&server), connect(&server));
    let id = call(&mut target, "CLIENT ID").replace([':', '|'], "");
    assert_eq!(call(&mut client, &format!("CLIENT TRACKING ON REDIRECT {id}")), "+OK|");
    assert_eq!(call(&mut client, "CLIENT GETREDIR"), format!(":{id}|"));
    let mut told = |client: &mut Connection, target: &mut Connection, change: &str| {
        call(client, "GET x");
        call(&mut writer, change);
        heard(target)
    };
    // In RESP2 only to one that is subscribed to something.
    assert_eq!(told(&mut client, &mut target, "SET x 1"), "");
    call(&mut target, "SUBSCRIBE __redis__:invalidate");
    let message = "*3|$7|message|$20|__redis__:invalidate|";
    assert_eq!(told(&mut client, &mut target, "SET x 1"), format!("{message}*1|$1|x|"));
    assert_eq!(told(&mut client, &mut target, "FLUSHALL"), format!("{message}$-1|"));
    call(&mut target, "RESET");
    call(&mut target, "HELLO 3");
    assert_eq!(told(&mut client, &mut target, "SET x 1"), stale("x"));
    assert_eq!(told(&mut client, &mut target, "FLUSHDB"), EVERYTHING);
    // What the target itself changes, it hears of behind its reply.
    call(&mut client, "GET x");
    assert_eq!(converse(&mut target, "SET x 1; PING"), format!("+OK|{}+PONG|", stale("x")));
    // It goes.
    call(&mut client, "GET x");
    assert_eq!(call(&mut target, "QUIT"), "+OK|");
    assert!(call(&mut client, "CLIENT TRACKINGINFO").contains("|*1|$2|on|"));
    call(&mut writer, "SET x 2");
    assert!(call(&mut client, "CLIENT TRACKINGINFO").contains("|*2|$2|on|$15|broken_redirect|"));
    assert!(call(&mut client, "CLIENT INFO").contains(" flags=tR "));
    call(&mut client, "HELLO 3");
    call(&mut client, "GET x");
    call(&mut writer, "SET x 2");
    assert_eq!(heard(&mut client), format!(">2|$21|tracking-redir-broken|:{id}|"));
    call(&mut client, "RESET");
    assert_eq!(call(&mut client, "CLIENT GETREDIR"), ":-1|");
}

#[test]
fn options_that_do_not_go_together() {
    let server = start(&[]);
    let mut client = connect(&server);
    let switch = "different mode.|";
    let id = call(&mut client, "CLIENT ID").replace([':', '|'], "");
    for (options, answer) in [
        ("maybe", "-ERR syntax error|"),
        ("ON what", "-ERR syntax error|"),
        ("ON REDIRECT", "-ERR syntax error|"),
        ("OFF REDIRECT 9999", "-ERR The client ID you want redirect to does not exist|"),
        ("ON REDIRECT 0", "-ERR The client ID you want redirect to does not exist|"),
        ("ON REDIRECT x", "-ERR value is not an integer or out of range|"),
        ("ON REDIRECT ID REDIRECT ID", "-ERR A client can only redirect to a single other client|"),
        ("ON PREFIX a", "-ERR PREFIX option requires BCAST mode to be enabled|"),
        ("ON BCAST OPTIN", "-ERR OPTIN and OPTOUT are not compatible with BCAST|"),
        ("ON OPTIN OPTOUT", "-ERR You can\\'t specify both OPTIN mode and OPTOUT mode|"),
        ("ON OPTIN", "+OK|"),
        ("ON OPTOUT", switch),
        ("ON BCAST", switch),
        ("ON NOLOOP", "+OK|"),
        ("ON OPTOUT", "+OK|"),
        ("OFF", "+OK|"),
        ("ON BCAST PREFIX foo PREFIX foobar", "overlaps with another provided prefix \\'foobar\\'. "),
        ("ON BCAST PREFIX x PREFIX foobar PREFIX foo", "overlaps with another provided prefix \\'foo\\'. "),
        ("ON BCAST PREFIX foo", "+OK|"),
        ("ON BCAST PREFIX fo", "-ERR Prefix \\'fo\\' overlaps with an existing prefix \\'foo\\'. "),
        ("ON", switch),
        ("OFF", "+OK|"),
    ] {
        let reply = call(&mut client, &format!("CLIENT TRACKING {}", options.replace("ID", &id)));
        assert!(reply.contains(answer), "{options}: {reply}");
    }
    for (command, answer) in [
        ("CLIENT CACHING YES", "-ERR CLIENT CACHING can be called only when the client is in tracking mode"),
        ("CLIENT TRACKING ON OPTIN", "+OK|"),
        ("CLIENT CACHING NO", "-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.|"),
        ("CLIENT CACHING MAYBE", "-ERR syntax error|"),
        ("CLIENT CACHING YES", "+OK|"),
        ("CLIENT TRACKINGINFO", "*6|$5|flags|*3|$2|on|$5|optin|$11|caching-yes|$8|redirect|:0|$8|prefixes|*0|"),
        ("CLIENT TRACKING OFF", "+OK|"),
        ("CLIENT TRACKINGINFO", "*6|$5|flags|*1|$3|off|$8|redirect|:-1|$8|prefixes|*0|"),
        ("CLIENT TRACKING ON BCAST NOLOOP PREFIX b PREFIX a", "+OK|"),
        ("CLIENT TRACKINGINFO", "|*3|$2|on|$5|bcast|$6|noloop|$8|redirect|:0|$8|prefixes|*2|$1|a|$1|b|"),
        ("CLIENT INFO", " flags=tB "),
        ("RESET", "+RESET|"),
        ("CLIENT INFO", " flags=N "),
    ] {
        let reply = call(&mut client, command);
        assert!(reply.contains(answer), "{command}: {reply}");
    }
}

#[test]
fn the_table_is_kept_small() {
    let server = start(&[]);
    let (mut reader, mut other) = (tracker(&server, ""), connect(&server));
    converse(&mut reader, "MGET a b c d e f");
    let info = call(&mut other, "INFO");
    assert!(info.contains("|tracking_clients:1|") && info.contains("|tracking_total_keys:6|"), "{info}");
    call(&mut other, "CONFIG SET tracking-table-max-keys 2");
    assert_eq!(heard(&mut reader).matches("invalidate").count(), 4);
    assert_eq!(converse(&mut reader, "MGET g h").matches("invalidate").count(), 2);
    let info = call(&mut other, "INFO");
    assert!(info.contains("|tracking_total_keys:2|tracking_total_items:2|tracking_total_prefixes:0|"), "{info}");
    call(&mut other, "FLUSHALL");
    assert!(call(&mut other, "INFO").contains("|tracking_total_keys:0|tracking_total_items:0|"));
}

/// A client that keeps what it reads until it is told to throw it away.
struct Cache {
    connection: Connection,
    values: HashMap<String, String>,
}

impl Cache {
    /// Handles pushes until the reply.
    fn reply(&mut self) -> String {
        loop {
            let reply = read(&mut self.connection);
            let Some(push) = reply.strip_prefix(">2|$10|invalidate|") else { return reply };
            if push == "_|" {
                self.values.clear();
            }
            // The names are between their lengths.
            let names = push.split('|').filter(|word| word.starts_with("key"));
            names.for_each(|name| drop(self.values.remove(name)));
        }
    }

    fn get(&mut self, key: &str) {
        if !self.values.contains_key(key) {
            self.connection.send(&["GET", key]).expect("sent");
            let value = self.reply();
            self.values.insert(key.into(), value);
        }
    }
}

#[test]
fn no_cache_is_stale_when_all_is_quiet() {
    const KEYS: u32 = 12;
    const READERS: u64 = 4;
    const WRITERS: u64 = 3;
    const ROUNDS: u64 = 12;
    let server = start(&["--io-threads", "4", "--enable-debug-command", "yes"]);
    assert_eq!(call(&mut connect(&server), "DEBUG SET-ACTIVE-EXPIRE 0"), "+OK|");
    let seed = seed("no_cache_is_stale_when_all_is_quiet");
    let barrier = Barrier::new((READERS + WRITERS) as usize);
    let key = |random: &mut StdRng| format!("key{}", random.random_range(0..KEYS));
    thread::scope(|threads| {
        for reader in 0..READERS {
            let (server, barrier) = (&server, &barrier);
            threads.spawn(move || {
                let mut random = StdRng::seed_from_u64(seed.wrapping_add(reader));
                // Half of them want to hear of all keys, which they cache as well.
                let mode = if reader % 2 == 0 { "" } else { "BCAST PREFIX key" };
                let mut cache = Cache { connection: tracker(server, mode), values: HashMap::new() };
                let mut judge = connect(server);
                for round in 0..ROUNDS {
                    for _ in 0..300 {
                        cache.get(&key(&mut random));
                    }
                    barrier.wait();
                    // Now everybody has had the replies to his changes, so all messages are on their way.
                    cache.connection.send(&["PING"]).expect("sent");
                    assert_eq!(cache.reply(), "+PONG|");
                    for (name, value) in &cache.values {
                        let now = call(&mut judge, &format!("GET {name}")).replace("$-1|", "_|");
                        assert_eq!(now, *value, "{name} in round {round} of reader {reader}");
                    }
                    barrier.wait();
                }
            });
        }
        for writer in 0..WRITERS {
            let (server, barrier) = (&server, &barrier);
            threads.spawn(move || {
                let mut random = StdRng::seed_from_u64(seed.wrapping_add(100 + writer));
                let mut connection = connect(server);
                for round in 0..ROUNDS {
                    for step in 0..200 {
                        let (one, other) = (key(&mut random), key(&mut random));
                        let value = format!("{writer}-{round}-{step}");
                        let command = match random.random_range(0..100) {
                            0..40 => format!("SET {one} {value}"),
                            40..60 => format!("MSET {one} {value} {other} {value}"),
                            60..75 => format!("DEL {one} {other}"),
                            75..85 => format!("RENAME {one} {other}"),
                            85..90 => format!("EVAL redis.call('set','{one}','{value}') 0"),
                            90..95 => format!("EVAL redis.call('set',KEYS[1],'{value}') 1 {one}"),
                            95..99 => format!("SET {one} {value} PX 1"),
                            _ => "FLUSHALL".into(),
                        };
                        call(&mut connection, &command);
                    }
                    // Nothing is to expire while the caches are looked at; what has, is found out now.
                    for number in 0..KEYS {
                        call(&mut connection, &format!("PERSIST key{number}"));
                    }
                    barrier.wait();
                    barrier.wait();
                }
            });
        }
    });
}
