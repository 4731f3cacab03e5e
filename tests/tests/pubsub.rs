//! Publish and subscribe, in both versions of the protocol.

use std::collections::HashMap;
use std::thread;

use harness::{Connection, Server, encode, server_under_test};

fn start(args: &[&str]) -> Server {
    Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), args).expect("the server starts")
}

fn connect(server: &Server) -> Connection {
    server.connect().expect("a connection")
}

fn connect_resp3(server: &Server) -> Connection {
    let mut connection = connect(server);
    assert!(call(&mut connection, "HELLO 3").starts_with("%7"));
    connection
}

fn send(connection: &mut Connection, command: &str) {
    connection.send(&command.split(' ').collect::<Vec<_>>()).expect("sent");
}

/// The next reply or push, its line breaks as `|`.
fn read(connection: &mut Connection) -> String {
    connection.read().expect("a reply").0.escape_ascii().to_string().replace("\\r\\n", "|")
}

fn call(connection: &mut Connection, command: &str) -> String {
    send(connection, command);
    read(connection)
}

/// Sends each command and compares all that comes back for it.
fn converse(connection: &mut Connection, lines: &[(&str, &[&str])]) {
    for (command, expected) in lines {
        send(connection, command);
        for expected in *expected {
            assert_eq!(read(connection), *expected, "{command}");
        }
    }
}

/// A push of strings, `_` for nothing and digits for numbers being the exception.
fn pushed(kind: char, words: &[&str]) -> String {
    let parts = words.iter().map(|word| match word.strip_prefix(':') {
        Some(number) => format!(":{number}|"),
        None => format!("${}|{word}|", word.len()),
    });
    format!("{kind}{}|", words.len()) + &parts.collect::<String>()
}

/// Comes back when the server tells a line of INFO.
fn until_info(connection: &mut Connection, line: &str) {
    while !call(connection, "INFO").contains(&format!("|{line}|")) {
        thread::yield_now();
    }
}

#[test]
fn resp2_subscribers_do_nothing_else() {
    let server = start(&[]);
    let mut client = connect(&server);
    let refused = |name: &str| {
        format!(
            "-ERR Can\\'t execute \\'{name}\\': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
             allowed in this context|"
        )
    };
    converse(
        &mut client,
        &[
            ("PING", &["+PONG|"]),
            ("UNSUBSCRIBE", &["*3|$11|unsubscribe|$-1|:0|"]),
            ("UNSUBSCRIBE x", &["*3|$11|unsubscribe|$1|x|:0|"]),
            ("SUBSCRIBE a b", &["*3|$9|subscribe|$1|a|:1|", "*3|$9|subscribe|$1|b|:2|"]),
            ("SUBSCRIBE a", &["*3|$9|subscribe|$1|a|:2|"]),
            ("PSUBSCRIBE a*", &["*3|$10|psubscribe|$2|a*|:3|"]),
            ("SSUBSCRIBE a", &["*3|$10|ssubscribe|$1|a|:1|"]),
            ("PING", &["*2|$4|pong|$0||"]),
            ("PING x", &["*2|$4|pong|$1|x|"]),
            ("PING x y", &["-ERR wrong number of arguments for \\'ping\\' command|"]),
            ("GET", &["-ERR wrong number of arguments for \\'get\\' command|"]),
            ("GET x", &[&refused("get")]),
            ("HELLO 3", &[&refused("hello")]),
            ("PUBLISH a b", &[&refused("publish")]),
            ("PUBSUB NUMPAT", &[&refused("pubsub|numpat")]),
            ("UNSUBSCRIBE b a", &["*3|$11|unsubscribe|$1|b|:2|", "*3|$11|unsubscribe|$1|a|:1|"]),
            ("PUNSUBSCRIBE", &["*3|$12|punsubscribe|$2|a*|:0|"]),
            ("GET x", &[&refused("get")]),
            ("SUNSUBSCRIBE no", &["*3|$12|sunsubscribe|$2|no|:1|"]),
            ("SUNSUBSCRIBE", &["*3|$12|sunsubscribe|$1|a|:0|"]),
            ("GET x", &["$-1|"]),
            ("SUBSCRIBE a", &["*3|$9|subscribe|$1|a|:1|"]),
            ("RESET", &["+RESET|"]),
            ("GET x", &["$-1|"]),
            ("PUBLISH a b", &[":0|"]),
            ("SUBSCRIBE a", &["*3|$9|subscribe|$1|a|:1|"]),
            ("QUIT", &["+OK|"]),
        ],
    );
    assert!(client.read().is_err());
}

#[test]
fn resp3_mixes_messages_with_replies() {
    let server = start(&[]);
    let mut client = connect_resp3(&server);
    let message = |words: &[&str]| pushed('>', words);
    // In one go: what is published to oneself comes right behind the reply.
    let commands = ["SUBSCRIBE a", "PSUBSCRIBE a*", "PUBLISH a 1", "PING", "SSUBSCRIBE a", "SPUBLISH a 2", "PING x"];
    let bytes: Vec<u8> = commands.iter().flat_map(|line| encode(&line.split(' ').collect::<Vec<_>>())).collect();
    client.send_bytes(&bytes).expect("sent");
    for expected in [
        &message(&["subscribe", "a", ":1"]),
        &message(&["psubscribe", "a*", ":2"]),
        ":2|",
        &message(&["message", "a", "1"]),
        &message(&["pmessage", "a*", "a", "1"]),
        "+PONG|",
        &message(&["ssubscribe", "a", ":1"]),
        ":1|",
        &message(&["smessage", "a", "2"]),
        "$1|x|",
    ] {
        assert_eq!(read(&mut client), expected);
    }
    converse(
        &mut client,
        &[("UNSUBSCRIBE", &[&message(&["unsubscribe", "a", ":1"])]), ("UNSUBSCRIBE", &[">3|$11|unsubscribe|_|:1|"])],
    );
    // Back in RESP2, what is still subscribed to holds the client in subscriber mode.
    assert!(call(&mut client, "HELLO 2").starts_with("*14|"));
    assert!(call(&mut client, "GET x").starts_with("-ERR Can\\'t execute"));
    let mut other = connect(&server);
    assert_eq!(call(&mut other, "PUBLISH abc 1"), ":1|");
    assert_eq!(read(&mut client), pushed('*', &["pmessage", "a*", "abc", "1"]));
}

#[test]
fn pushes_come_even_where_replies_do_not() {
    let server = start(&[]);
    let mut client = connect_resp3(&server);
    converse(
        &mut client,
        &[
            ("CLIENT REPLY OFF", &[]),
            ("SUBSCRIBE a", &[&pushed('>', &["subscribe", "a", ":1"])]),
            ("GET x", &[]),
            ("PUBLISH a 1", &[&pushed('>', &["message", "a", "1"])]),
            ("UNSUBSCRIBE a", &[&pushed('>', &["unsubscribe", "a", ":0"])]),
            ("CLIENT REPLY ON", &["+OK|"]),
            ("CLIENT REPLY SKIP", &[]),
            ("SUBSCRIBE b", &[&pushed('>', &["subscribe", "b", ":1"])]),
            ("PUBLISH b 1", &[":1|", &pushed('>', &["message", "b", "1"])]),
        ],
    );
}

#[test]
fn a_waiting_client_hears_messages() {
    let server = start(&[]);
    let (mut client, mut other) = (connect_resp3(&server), connect(&server));
    call(&mut client, "SUBSCRIBE news");
    send(&mut client, "BLPOP list 0");
    assert_eq!(call(&mut other, "PUBLISH news 1"), ":1|");
    assert_eq!(read(&mut client), pushed('>', &["message", "news", "1"]));
    assert_eq!(call(&mut other, "RPUSH list x"), ":1|");
    assert_eq!(read(&mut client), pushed('*', &["list", "x"]));
}

#[test]
fn pubsub_tells_who_listens() {
    let server = start(&[]);
    let mut asking = connect(&server);
    let mut listening: Vec<Connection> = (0..3).map(|_| connect(&server)).collect();
    for client in &mut listening {
        call(client, "SUBSCRIBE one");
        call(client, "PSUBSCRIBE p*");
        call(client, "SSUBSCRIBE s");
    }
    call(&mut listening[0], "SUBSCRIBE two");
    call(&mut listening[1], "PSUBSCRIBE q*");
    let syntax = "-ERR unknown subcommand or wrong number of arguments for \\'CHANNELS\\'. Try PUBSUB HELP.|";
    converse(
        &mut asking,
        &[
            ("PUBSUB CHANNELS t*", &["*1|$3|two|"]),
            ("PUBSUB CHANNELS nobody", &["*0|"]),
            ("PUBSUB NUMSUB one two nobody", &["*6|$3|one|:3|$3|two|:1|$6|nobody|:0|"]),
            ("PUBSUB NUMSUB", &["*0|"]),
            ("PUBSUB NUMPAT", &[":2|"]),
            ("PUBSUB SHARDCHANNELS", &["*1|$1|s|"]),
            ("PUBSUB SHARDNUMSUB s one", &["*4|$1|s|:3|$3|one|:0|"]),
            ("PUBSUB CHANNELS a b", &[syntax]),
            ("PUBSUB NOSUCH", &["-ERR unknown subcommand \\'NOSUCH\\'. Try PUBSUB HELP.|"]),
        ],
    );
    let info = call(&mut asking, "INFO");
    for field in ["pubsub_channels:2", "pubsub_patterns:2", "pubsubshard_channels:1", "pubsub_clients:3"] {
        assert!(info.contains(field), "{field} in {info}");
    }
    let list = call(&mut asking, "CLIENT LIST TYPE PUBSUB");
    assert_eq!(list.matches(" flags=P ").count(), 3);
    assert!(list.contains(" sub=2 psub=1 ssub=1 ") && list.contains(" sub=1 psub=2 ssub=1 "), "{list}");
    assert!(!call(&mut asking, "CLIENT LIST TYPE NORMAL").contains("flags=P"));
    // One leaves, two are made to.
    call(&mut listening[2], "QUIT");
    until_info(&mut asking, "pubsub_clients:2");
    assert_eq!(call(&mut asking, "CLIENT KILL TYPE PUBSUB"), ":2|");
    until_info(&mut asking, "pubsub_clients:0");
    until_info(&mut asking, "pubsub_channels:0");
    until_info(&mut asking, "pubsub_patterns:0");
    until_info(&mut asking, "pubsubshard_channels:0");
    assert_eq!(call(&mut asking, "PUBLISH one 1"), ":0|");
}

#[test]
fn long_messages_arrive_whole() {
    let server = start(&["--io-threads", "2"]);
    let mut clients = [connect(&server), connect_resp3(&server), connect(&server)];
    clients.iter_mut().for_each(|client| drop(call(client, "SUBSCRIBE long")));
    let mut publisher = connect(&server);
    for size in [0, 1, 16 * 1024 - 1, 16 * 1024, 40_000, 3 << 20] {
        let text: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let reply = publisher.call(&[&b"PUBLISH"[..], b"long", &text]).expect("a reply");
        assert_eq!(reply.integer(), Some(3));
        for client in &mut clients {
            let message = client.read().expect("a message").elements();
            assert!(message.len() == 3 && message[2].payload() == text, "{size}");
        }
    }
}

#[test]
fn a_slow_subscriber_is_closed_and_the_others_are_not() {
    let server = start(&["--client-output-buffer-limit", "pubsub 1mb 0 0"]);
    let (mut slow, mut quick, mut publisher) = (connect(&server), connect(&server), connect(&server));
    call(&mut slow, "SUBSCRIBE news");
    call(&mut quick, "SUBSCRIBE news");
    let text = "x".repeat(100_000);
    loop {
        let receivers = call(&mut publisher, &format!("PUBLISH news {text}"));
        assert_eq!(quick.read().expect("a message").elements()[2].payload(), text.as_bytes());
        if receivers == ":1|" {
            break;
        }
    }
    assert!(call(&mut publisher, "INFO").contains("client_output_buffer_limit_disconnections:1|"));
    assert_eq!(call(&mut publisher, "PUBSUB NUMSUB news"), "*2|$4|news|:1|");
}

#[test]
fn many_channels_and_patterns() {
    const CHANNELS: usize = 20_000;
    let server = start(&[]);
    let (mut client, mut publisher) = (connect(&server), connect(&server));
    let names: Vec<String> = (0..CHANNELS).map(|number| format!("channel:{number}")).collect();
    for kind in ["SUBSCRIBE", "SSUBSCRIBE"] {
        let words: Vec<&str> = [kind].into_iter().chain(names.iter().map(String::as_str)).collect();
        client.send(&words).expect("sent");
        (0..CHANNELS).for_each(|_| drop(client.read().expect("a confirmation")));
    }
    assert!(call(&mut publisher, "INFO").contains("pubsub_channels:20000|"));
    assert_eq!(call(&mut publisher, "PUBLISH channel:777 x"), ":1|");
    assert_eq!(read(&mut client), pushed('*', &["message", "channel:777", "x"]));
    for kind in ["UNSUBSCRIBE", "SUNSUBSCRIBE"] {
        send(&mut client, kind);
        let left: Vec<i64> = (0..CHANNELS)
            .map(|_| client.read().expect("a confirmation").elements()[2].integer().expect("a count"))
            .collect();
        assert!(left.iter().rev().enumerate().all(|(at, count)| at as i64 == *count));
    }
    assert_eq!(call(&mut client, "PING"), "+PONG|");
    assert!(call(&mut publisher, "INFO").contains("pubsub_channels:0|"));
}

/// Publishers and subscribers on all workers: nothing is lost, nothing comes twice, everything in its order.
#[test]
fn every_publisher_is_heard_in_order() {
    const PUBLISHERS: usize = 6;
    const SUBSCRIBERS: usize = 9;
    const MESSAGES: usize = 1500;
    let server = start(&["--io-threads", "4"]);
    let mut subscribers: Vec<Connection> = (0..SUBSCRIBERS)
        .map(|number| {
            let mut client = if number % 2 == 0 { connect(&server) } else { connect_resp3(&server) };
            let what = match number % 3 {
                0 => "SUBSCRIBE even odd",
                1 => "PSUBSCRIBE ev* o?d",
                _ => "SUBSCRIBE odd even",
            };
            call(&mut client, what);
            read(&mut client);
            client
        })
        .collect();
    thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let mut client = connect(&server);
            scope.spawn(move || {
                let mut sent = 0;
                // Single ones and bursts.
                for burst in (1..).map(|step| step * 7 % 40) {
                    let burst = burst.min(MESSAGES - sent);
                    let channel = |number: usize| if number.is_multiple_of(2) { "even" } else { "odd" };
                    let one = |number: usize| encode(&["PUBLISH", channel(number), &format!("{publisher} {number}")]);
                    let bytes: Vec<u8> = (sent..sent + burst).flat_map(one).collect();
                    client.send_bytes(&bytes).expect("sent");
                    for _ in 0..burst {
                        let receivers = client.read().expect("a reply").integer().expect("a number");
                        assert!(receivers >= SUBSCRIBERS as i64);
                    }
                    sent += burst;
                    if sent == MESSAGES {
                        break;
                    }
                }
            });
        }
        // These come and go all the time, and hear of a channel only between its confirmations.
        for _ in 0..2 {
            let mut client = connect(&server);
            scope.spawn(move || {
                for _ in 0..200 {
                    client
                        .send_bytes(&[encode(&["SUBSCRIBE", "odd"]), encode(&["UNSUBSCRIBE", "odd"])].concat())
                        .expect("sent");
                    let mut last: HashMap<String, usize> = HashMap::new();
                    let first = client.read().expect("a confirmation").elements();
                    assert_eq!(first[0].payload(), b"subscribe");
                    loop {
                        let message = client.read().expect("a message").elements();
                        if message[0].payload() == b"unsubscribe" {
                            break;
                        }
                        let (publisher, number) = parse(&message[2]);
                        let before = last.insert(publisher, number);
                        assert!(before.is_none_or(|before| number == before + 2));
                    }
                }
            });
        }
        for client in &mut subscribers {
            scope.spawn(move || {
                let mut next = [0; PUBLISHERS];
                for _ in 0..PUBLISHERS * MESSAGES {
                    let message = client.read().expect("a message").elements();
                    let (publisher, number) = parse(message.last().expect("a payload"));
                    let expected = &mut next[publisher.parse::<usize>().expect("a publisher")];
                    assert_eq!(number, *expected);
                    *expected += 1;
                }
            });
        }
    });
    // There is nothing left that anybody could hear.
    for client in &mut subscribers {
        send(client, "PING");
        assert!(["+PONG|", "*2|$4|pong|$0||"].contains(&read(client).as_str()));
    }
}

/// The publisher and the number in the text of a message.
fn parse(payload: &harness::Reply) -> (String, usize) {
    let text = String::from_utf8(payload.payload().to_vec()).expect("text");
    let (publisher, number) = text.split_once(' ').expect("two words");
    (publisher.to_string(), number.parse().expect("a number"))
}

#[test]
fn transactions_subscribe_and_publish() {
    let server = start(&["--notify-keyspace-events", "KEA"]);
    let mut client = connect_resp3(&server);
    let commands = ["MULTI", "SUBSCRIBE a", "PUBLISH a 1", "PING", "EXEC", "PING", "MULTI", "UNSUBSCRIBE a", "EXEC"];
    let bytes: Vec<u8> = commands.iter().flat_map(|line| encode(&line.split(' ').collect::<Vec<_>>())).collect();
    client.send_bytes(&bytes).expect("sent");
    let subscribed = pushed('>', &["subscribe", "a", ":1"]);
    for expected in [
        "+OK|",
        "+QUEUED|",
        "+QUEUED|",
        "+QUEUED|",
        // Confirmations stand among the replies, messages come behind them.
        &format!("*3|{subscribed}:1|+PONG|"),
        &pushed('>', &["message", "a", "1"]),
        "+PONG|",
        "+OK|",
        "+QUEUED|",
        &format!("*1|{}", pushed('>', &["unsubscribe", "a", ":0"])),
    ] {
        assert_eq!(read(&mut client), expected);
    }
    // What is published within a transaction keeps its place among the changes.
    call(&mut client, "PSUBSCRIBE __keyspace* x");
    read(&mut client);
    let mut other = connect(&server);
    for command in ["MULTI", "SET k 1", "PUBLISH x 2", "DEL k", "EXEC"] {
        call(&mut other, command);
    }
    let key = ["pmessage", "__keyspace*", "__keyspace@0__:k"];
    assert_eq!(read(&mut client), pushed('>', &[&key[..], &["set"]].concat()));
    assert_eq!(read(&mut client), pushed('>', &["pmessage", "x", "x", "2"]));
    assert_eq!(read(&mut client), pushed('>', &[&key[..], &["del"]].concat()));
}

#[test]
fn shard_channels_are_no_keys() {
    let server = start(&[]);
    let none = "-ERR The command has no key arguments|";
    converse(
        &mut connect(&server),
        &[("COMMAND GETKEYS SPUBLISH a b", &[none]), ("COMMAND GETKEYSANDFLAGS SSUBSCRIBE a b", &[none])],
    );
}

#[test]
fn messages_that_come_between_a_reply_and_its_sending_are_sent_too() {
    let server = start(&["--enable-debug-command", "yes"]);
    // Some of them have the same worker.
    let mut connections: Vec<Connection> = (0..8).map(|_| connect_resp3(&server)).collect();
    // Nor does anything else wake them, as giving back memory would.
    assert_eq!(call(&mut connections[0], "DEBUG REPLYBUFFER RESIZING 0"), "+OK|");
    for connection in &mut connections {
        assert_eq!(call(connection, "SUBSCRIBE news"), pushed('>', &["subscribe", "news", ":1"]));
    }
    for _ in 0..20 {
        // While the workers sleep the others' requests arrive, to be carried out one right after the other.
        connections[..2].iter_mut().for_each(|connection| send(connection, "DEBUG SLEEP 0.01"));
        connections[2..].iter_mut().for_each(|connection| send(connection, "PUBLISH news something"));
        for (index, connection) in connections.iter_mut().enumerate() {
            let (mut replies, mut messages) = (0, 0);
            while (replies, messages) != (1, 6) {
                match read(connection).as_str() {
                    "+OK|" if index < 2 => replies += 1,
                    ":8|" if index >= 2 => replies += 1,
                    message => {
                        assert_eq!(message, pushed('>', &["message", "news", "something"]));
                        messages += 1;
                    }
                }
            }
        }
    }
}
