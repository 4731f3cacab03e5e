//! Commands about connections and clients.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use harness::{Connection, Server, ServerBuilder, call, converse, server_under_test};

fn start(args: &[&str]) -> Server {
    Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), args).unwrap()
}

fn id_of(connection: &mut Connection) -> String {
    connection.call(&["CLIENT", "ID"]).unwrap().integer().unwrap().to_string()
}

const WRONG_PASS: &str = r"-WRONGPASS invalid username-password pair or user is disabled.\r\n";

#[test]
fn a_password_keeps_strangers_out() {
    let server = start(&["--requirepass", "secret"]);
    let mut connection = server.connect().unwrap();
    converse(
        &mut connection,
        &[
            ("PING", r"-NOAUTH Authentication required.\r\n"),
            ("AUTH secre", WRONG_PASS),
            ("AUTH secretsecret", WRONG_PASS),
            ("AUTH somebody secret", WRONG_PASS),
            ("AUTH a b c", r"-ERR syntax error\r\n"),
            ("AUTH secret", r"+OK\r\n"),
            ("PING", r"+PONG\r\n"),
            ("RESET", r"+RESET\r\n"),
            ("PING", r"-NOAUTH Authentication required.\r\n"),
        ],
    );
    assert!(call(&mut connection, "HELLO 3").starts_with("-NOAUTH HELLO must be called with the client already"));
    assert!(call(&mut connection, "HELLO 3 AUTH default secret SETNAME me").starts_with("%7"));
    converse(&mut connection, &[("CLIENT GETNAME", r"$2\r\nme\r\n"), ("GET none", r"_\r\n")]);
}

#[test]
fn hello_refuses_what_it_does_not_know() {
    let server = start(&[]);
    converse(
        &mut server.connect().unwrap(),
        &[
            ("HELLO 4", r"-NOPROTO unsupported protocol version\r\n"),
            ("HELLO x", r"-ERR Protocol version is not an integer or out of range\r\n"),
            ("HELLO 3 AUTH default", r"-ERR Syntax error in HELLO option \'AUTH\'\r\n"),
            ("HELLO 3 SETNAME a\x01", r"-ERR Client names cannot contain spaces, newlines or special characters.\r\n"),
            ("GET none", r"$-1\r\n"),
        ],
    );
}

#[test]
fn replies_can_be_turned_off() {
    let server = start(&[]);
    let mut connection = server.connect().unwrap();
    for command in [
        &["CLIENT", "REPLY", "SKIP"][..],
        &["ECHO", "1"],
        &["ECHO", "2"],
        &["CLIENT", "REPLY", "OFF"],
        &["ECHO", "3"],
        &["NO SUCH COMMAND"],
        &["CLIENT", "REPLY", "ON"],
    ] {
        connection.send(command).unwrap();
    }
    assert_eq!(connection.read().unwrap().payload(), b"2");
    assert_eq!(connection.read().unwrap().payload(), b"OK");
}

#[test]
fn replies_can_be_turned_off_within_a_transaction() {
    let server = start(&[]);
    let after = |words: &str| {
        let mut connection = server.connect().unwrap();
        let requests = words.split(", ").map(|request| harness::encode(&request.split(' ').collect::<Vec<_>>()));
        connection.send_bytes(&requests.collect::<Vec<_>>().concat()).unwrap();
        connection.read_to_close().unwrap().escape_ascii().to_string().replace(r"\r\n", " ")
    };
    assert_eq!(
        after("MULTI, SET a 1, CLIENT REPLY OFF, SET a 2, CLIENT REPLY ON, GET a, EXEC, ECHO x, QUIT"),
        "+OK +QUEUED +QUEUED +QUEUED +QUEUED +QUEUED *5 +OK +OK $1 2 $1 x +OK "
    );
    assert_eq!(
        after("MULTI, CLIENT REPLY OFF, SET a 3, EXEC, ECHO x, CLIENT REPLY ON, ECHO y, QUIT"),
        "+OK +QUEUED +QUEUED *2 +OK $1 y +OK "
    );
    assert_eq!(after("CLIENT REPLY OFF, MULTI, CLIENT REPLY ON, PING, EXEC, ECHO x, QUIT"), "+OK +PONG $1 x +OK ");
    // SKIP is about the command behind EXEC, and what is no reply stays in its place.
    assert_eq!(
        after("MULTI, CLIENT REPLY SKIP, PUNSUBSCRIBE x, GET a, EXEC, ECHO x, ECHO y, QUIT"),
        "+OK +QUEUED +QUEUED +QUEUED *3 *3 $12 punsubscribe $1 x :0 $1 3 $1 y +OK "
    );
    // Nothing of it is left for later requests.
    assert_eq!(
        after("MULTI, CLIENT REPLY OFF, CLIENT REPLY ON, EXEC, CLIENT REPLY OFF, ECHO x, CLIENT REPLY ON, QUIT"),
        "+OK +QUEUED +QUEUED *2 +OK +OK +OK "
    );
}

#[test]
fn a_waiting_client_can_be_unblocked_and_killed() {
    let server = start(&[]);
    let (mut waiting, mut other) = (server.connect().unwrap(), server.connect().unwrap());
    let id = id_of(&mut waiting);
    assert_eq!(call(&mut other, &format!("CLIENT UNBLOCK {id}")), r":0\r\n");
    for (how, reply) in [("TIMEOUT", r":0\r\n"), ("ERROR", r"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n")] {
        waiting.send(&["WAIT", "1", "0"]).unwrap();
        while !call(&mut other, &format!("CLIENT LIST ID {id}")).contains("flags=b") {}
        assert_eq!(call(&mut other, &format!("CLIENT UNBLOCK {id} {how}")), r":1\r\n");
        assert_eq!(waiting.read().unwrap().0.escape_ascii().to_string(), reply);
    }
    assert_eq!(call(&mut other, &format!("CLIENT KILL ID {id} USER default TYPE normal")), r":1\r\n");
    assert!(waiting.read().is_err());
    assert_eq!(call(&mut other, "CLIENT KILL 1.2.3.4:5"), r"-ERR No such client\r\n");
}

#[test]
fn a_pause_holds_writes_back_until_it_is_over() {
    let server = start(&[]);
    let (mut writer, mut other) = (server.connect().unwrap(), server.connect().unwrap());
    let id = id_of(&mut writer);
    assert_eq!(call(&mut other, "CLIENT PAUSE 100000 WRITE"), r"+OK\r\n");
    writer.send(&["SET", "k", "v"]).unwrap();
    while !call(&mut other, &format!("CLIENT LIST ID {id}")).contains("flags=b") {}
    converse(
        &mut other,
        &[
            ("GET k", r"$-1\r\n"),
            ("SET k", r"-ERR wrong number of arguments for \'set\' command\r\n"),
            (&format!("CLIENT UNBLOCK {id}"), r":0\r\n"),
        ],
    );
    assert_eq!(call(&mut other, "CLIENT UNPAUSE"), r"+OK\r\n");
    assert_eq!(writer.read().unwrap().payload(), b"OK");
}

#[test]
fn client_list_shows_each_field_in_order() {
    let server = start(&[]);
    let mut connection = server.connect().unwrap();
    call(&mut connection, "CLIENT SETINFO LIB-NAME spinel-test");
    call(&mut connection, "SELECT 3");
    let reply = connection.call(&["CLIENT", "INFO"]).unwrap();
    let line = String::from_utf8(reply.payload().to_vec()).unwrap();
    let fields: Vec<(&str, &str)> = line.trim_end().split(' ').filter_map(|field| field.split_once('=')).collect();
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names.join(" "),
        "id addr laddr fd name age idle flags db sub psub ssub multi watch qbuf qbuf-free argv-mem multi-mem rbs rbp obl \
         oll omem tot-mem events cmd user redir resp lib-name lib-ver io-thread"
    );
    for expected in [("db", "3"), ("flags", "N"), ("cmd", "client|info"), ("resp", "2"), ("lib-name", "spinel-test")] {
        assert!(fields.contains(&expected), "{expected:?} in {line}");
    }
}

#[test]
fn commands_describe_themselves() {
    let server = start(&[]);
    converse(
        &mut server.connect().unwrap(),
        &[
            ("COMMAND GETKEYS SET k v", r"*1\r\n$1\r\nk\r\n"),
            ("COMMAND GETKEYSANDFLAGS SET k v", r"*1\r\n*2\r\n$1\r\nk\r\n*2\r\n+OW\r\n+update\r\n"),
            ("COMMAND GETKEYSANDFLAGS SET k v GET", r"*1\r\n*2\r\n$1\r\nk\r\n*3\r\n+RW\r\n+access\r\n+update\r\n"),
            ("COMMAND GETKEYS SORT k BY GET bogus STORE d", r"*2\r\n$1\r\nk\r\n$1\r\nd\r\n"),
            ("COMMAND GETKEYS SORT k GET STORE bogus x STORE", r"*1\r\n$1\r\nk\r\n"),
            ("COMMAND GETKEYS SORT k LIMIT 0 STORE STORE d", r"*2\r\n$1\r\nk\r\n$1\r\nd\r\n"),
            ("COMMAND GETKEYS PING", r"-ERR The command has no key arguments\r\n"),
            ("COMMAND GETKEYS NOSUCH k", r"-ERR Invalid command specified\r\n"),
            ("COMMAND LIST FILTERBY PATTERN object|f*", r"*1\r\n$11\r\nobject|freq\r\n"),
            ("COMMAND INFO nosuch", r"*1\r\n$-1\r\n"),
            ("NOSUCH a b", r"-ERR unknown command \'NOSUCH\', with args beginning with: \'a\' \'b\' \r\n"),
            ("OBJECT NOSUCH", r"-ERR unknown subcommand \'NOSUCH\'. Try OBJECT HELP.\r\n"),
        ],
    );
}

#[test]
fn a_pause_of_writes_holds_transactions_back_that_write() {
    let server = start(&[]);
    let mut other = server.connect().unwrap();
    let [mut queues, mut executes, mut reads, mut gives_up] = std::array::from_fn(|_| server.connect().unwrap());
    for client in [&mut queues, &mut executes, &mut reads, &mut gives_up] {
        assert_eq!(call(client, "MULTI"), r"+OK\r\n");
    }
    assert_eq!(call(&mut executes, "INCR n"), r"+QUEUED\r\n");
    assert_eq!(call(&mut gives_up, "INCR n"), r"+QUEUED\r\n");
    assert_eq!(call(&mut other, "CLIENT PAUSE 100000 WRITE"), r"+OK\r\n");
    converse(&mut reads, &[("GET n", r"+QUEUED\r\n"), ("EXEC", r"*1\r\n$-1\r\n")]);
    assert_eq!(call(&mut gives_up, "DISCARD"), r"+OK\r\n");
    // What writes is held back when it is to be queued.
    queues.send(&["INCR", "n"]).unwrap();
    executes.send(&["EXEC"]).unwrap();
    reads.send(&["PFCOUNT", "h"]).unwrap();
    while !call(&mut other, "INFO clients").contains("blocked_clients:3") {}
    assert_eq!(call(&mut other, "GET n"), r"$-1\r\n");
    assert_eq!(call(&mut other, "CLIENT UNPAUSE"), r"+OK\r\n");
    assert_eq!(queues.read().unwrap().payload(), b"QUEUED");
    assert_eq!(executes.read().unwrap().0, b"*1\r\n:1\r\n");
    assert_eq!(reads.read().unwrap().integer(), Some(0));
}

#[test]
fn a_pause_hides_expired_keys_but_keeps_them() {
    let server = start(&[]);
    let mut connection = server.connect().unwrap();
    converse(&mut connection, &[("SET brief 1 PX 1", r"+OK\r\n"), ("CLIENT PAUSE 100000 WRITE", r"+OK\r\n")]);
    while call(&mut connection, "GET brief") != r"$-1\r\n" {}
    converse(&mut connection, &[("EXISTS brief", r":0\r\n"), ("MGET brief", r"*1\r\n$-1\r\n")]);
    // Unless it was gone before the pause began, it is counted as long as the pause lasts.
    if call(&mut connection, "INFO stats").contains("expired_keys:0") {
        assert_eq!(call(&mut connection, "DBSIZE"), r":1\r\n");
        // There is no other to be found.
        assert_eq!(call(&mut connection, "RANDOMKEY"), r"$5\r\nbrief\r\n");
    }
    converse(&mut connection, &[("CLIENT UNPAUSE", r"+OK\r\n"), ("GET brief", r"$-1\r\n"), ("DBSIZE", r":0\r\n")]);
}

#[test]
fn a_pause_of_everything_holds_all_but_errors() {
    let server = start(&["--requirepass", "secret"]);
    let mut other = server.connect().unwrap();
    converse(&mut other, &[("AUTH secret", r"+OK\r\n"), ("CLIENT PAUSE 300 ALL", r"+OK\r\n")]);
    let mut connection = server.connect().unwrap();
    converse(
        &mut connection,
        &[
            ("GET key", r"-NOAUTH Authentication required.\r\n"),
            ("GET", r"-ERR wrong number of arguments for \'get\' command\r\n"),
            // This one comes when the pause is over.
            ("AUTH secret", r"+OK\r\n"),
        ],
    );
    assert!(call(&mut connection, "INFO clients").contains("blocked_clients:0"));
}

#[test]
fn only_idle_clients_are_closed() {
    let server = start(&["--timeout", "1"]);
    let mut blocked = server.connect().unwrap();
    blocked.send(&["BLPOP", "list", "0"]).unwrap();
    let mut idle = server.connect().unwrap();
    assert!(idle.read_to_close().unwrap().is_empty());
    let mut other = server.connect().unwrap();
    assert_eq!(call(&mut other, "CLIENT PAUSE 2500 WRITE"), r"+OK\r\n");
    // Held back for longer than a client may be idle.
    assert_eq!(call(&mut other, "RPUSH list a"), r":1\r\n");
    assert_eq!(blocked.read().unwrap().elements().len(), 2);
    assert_eq!(call(&mut blocked, "PING"), r"+PONG\r\n");
}

#[test]
fn names_are_those_that_the_configuration_gives() {
    let long = "y".repeat(70);
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    let names = [("CONFIG", "CFG".as_bytes()), ("GET", long.as_bytes()), ("STRLEN", b"l\xffn")];
    let builder = names.into_iter().fold(ServerBuilder::new(binary), |builder, (from, to)| {
        builder.args(["--rename-command", from]).arg(OsStr::from_bytes(to))
    });
    let server = builder.start().unwrap();
    let mut connection = server.connect().unwrap();
    converse(
        &mut connection,
        &[
            ("CONFIG nosuch", r"-ERR unknown command \'CONFIG\', with args beginning with: \'nosuch\' \r\n"),
            ("cfg nosuch", r"-ERR unknown subcommand \'nosuch\'. Try CFG HELP.\r\n"),
            ("SET k abc", r"+OK\r\n"),
            (&format!("{} k", long.to_uppercase()), r"$3\r\nabc\r\n"),
        ],
    );
    assert!(call(&mut connection, "CFG HELP").contains(r"+CFG <subcommand> [<arg>"));
    assert_eq!(connection.call(&[&b"L\xffN"[..], b"k"]).unwrap().integer(), Some(3));
}

#[test]
fn errors_quote_bytes_as_they_are() {
    let server = start(&[]);
    let mut connection = server.connect().unwrap();
    let cases: [(&[&[u8]], &[u8]); 4] = [
        (
            &[b"CONFIG", b"SET", b"\xff", b"x"],
            b"-ERR Unknown option or number of arguments for CONFIG SET - '\xff'\r\n",
        ),
        (&[b"HELLO", b"3", b"\xff"], b"-ERR Syntax error in HELLO option '\xff'\r\n"),
        (&[b"HELLO", b"3", b"FO\0O"], b"-ERR Syntax error in HELLO option 'FO'\r\n"),
        (&[b"OBJECT", b"\xff"], b"-ERR unknown subcommand '\xff'. Try OBJECT HELP.\r\n"),
    ];
    for (request, reply) in cases {
        assert_eq!(connection.call(request).unwrap().0, reply);
    }
}

#[test]
fn replies_that_are_off_stay_off_at_the_end() {
    let server = start(&[]);
    let converse = |bytes: &[u8]| {
        let mut connection = server.connect().unwrap();
        connection.send_bytes(bytes).unwrap();
        connection.read_to_close().unwrap().escape_ascii().to_string()
    };
    assert_eq!(converse(b"CLIENT REPLY OFF\r\n*x\r\n"), "");
    assert_eq!(converse(b"CLIENT REPLY SKIP\r\nRESET\r\nPING\r\nQUIT\r\n"), r"+PONG\r\n+OK\r\n");
    assert_eq!(converse(b"CLIENT REPLY OFF\r\nRESET\r\nPING\r\nQUIT\r\n"), r"+RESET\r\n+PONG\r\n+OK\r\n");
}

#[test]
fn a_client_that_is_held_back_is_listed_with_what_it_wants() {
    let server = start(&[]);
    let (mut held, mut other) = (server.connect().unwrap(), server.connect().unwrap());
    let id = id_of(&mut held);
    assert_eq!(call(&mut other, "CLIENT PAUSE 100000 WRITE"), r"+OK\r\n");
    held.send(&["INCR", "k"]).unwrap();
    let line = loop {
        let line = call(&mut other, &format!("CLIENT LIST ID {id}"));
        if line.contains("flags=b") {
            break line;
        }
    };
    assert!(line.contains(" cmd=incr "), "{line}");
    assert_eq!(call(&mut other, "CLIENT UNPAUSE"), r"+OK\r\n");
    assert_eq!(held.read().unwrap().integer(), Some(1));
}

#[test]
fn the_list_of_commands_has_subcommands_and_their_documentation_all_arguments() {
    let server = start(&[]);
    let mut connection = server.connect().unwrap();
    let names = connection.call(&["COMMAND", "LIST"]).unwrap().elements();
    for name in ["get", "config", "config|set"] {
        assert!(names.iter().any(|listed| listed.payload() == name.as_bytes()), "{name}");
    }
    let docs = call(&mut connection, "COMMAND DOCS set msetex");
    for token in ["IFEQ", "IFDNE", "PXAT", "KEEPTTL"] {
        assert!(docs.matches(token).count() >= if token.starts_with("IF") { 1 } else { 2 }, "{token}");
    }
}
