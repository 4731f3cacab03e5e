//! Users, what they may do, and what happens to those who may not.

use std::fs;
use std::path::Path;
use std::thread;

use harness::{Connection, Server, ServerBuilder, call, converse, server_under_test};

fn start(args: &[&str]) -> Server {
    Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), args).unwrap()
}

/// The texts in a reply of bulk strings.
fn texts(connection: &mut Connection, command: &str) -> Vec<String> {
    let args: Vec<&str> = command.split(' ').collect();
    let elements = connection.call(&args).unwrap().elements();
    elements.iter().map(|text| String::from_utf8_lossy(text.payload()).into_owned()).collect()
}

/// A connection that has logged in.
fn connect_as(server: &Server, user: &str) -> Connection {
    let mut connection = server.connect().unwrap();
    assert_eq!(call(&mut connection, &format!("AUTH {user} pass")), r"+OK\r\n");
    connection
}

const OK: &str = r"+OK\r\n";
const WRONG_PASS: &str = r"-WRONGPASS invalid username-password pair or user is disabled.\r\n";
const NO_KEY: &str = r"-NOPERM No permissions to access a key\r\n";

#[test]
fn users_do_what_their_rules_say() {
    let server = start(&[]);
    let mut admin = server.connect().unwrap();
    let rules = "ACL SETUSER bob on >pass ~a* %R~r* +@all -@dangerous -config +config|get (~s +strlen)";
    converse(&mut admin, &[(rules, OK), ("AUTH bob wrong", WRONG_PASS), ("AUTH nobody pass", WRONG_PASS)]);
    let mut bob = connect_as(&server, "bob");
    converse(
        &mut bob,
        &[
            ("ACL WHOAMI", r"$3\r\nbob\r\n"),
            ("SET a 1", OK),
            ("GET r", r"$-1\r\n"),
            ("SET r 1", NO_KEY),
            ("MSET a 1 b 2", NO_KEY),
            ("STRLEN s", r":0\r\n"),
            ("GET s", NO_KEY),
            ("KEYS *", r"-NOPERM User bob has no permissions to run the \'keys\' command\r\n"),
            ("ACL LIST", r"-NOPERM User bob has no permissions to run the \'acl|list\' command\r\n"),
            ("CONFIG GET no", r"*0\r\n"),
            ("CONFIG SET x y", r"-NOPERM User bob has no permissions to run the \'config|set\' command\r\n"),
            // Whether there is such a command, and how it is called, comes first.
            ("KEYS", r"-ERR wrong number of arguments for \'keys\' command\r\n"),
            ("CONFIG NO", r"-ERR unknown subcommand \'NO\'. Try CONFIG HELP.\r\n"),
            ("SORT a BY x*", r"-NOPERM User bob has no permissions to run the \'sort\' command\r\n"),
        ],
    );
    // A change counts from the next command on, on every connection.
    assert_eq!(call(&mut admin, "ACL SETUSER bob ~* +sort"), OK);
    converse(&mut bob, &[("SET b 2", OK), ("SORT none BY x*", r"*0\r\n")]);
    assert_eq!(call(&mut admin, "ACL SETUSER bob off resetkeys ~none"), OK);
    converse(
        &mut bob,
        &[
            ("GET a", NO_KEY),
            ("SORT none BY x*", r"-ERR BY option of SORT denied due to insufficient ACL permissions.\r\n"),
            ("AUTH bob pass", WRONG_PASS),
            ("ACL WHOAMI", r"$3\r\nbob\r\n"),
        ],
    );
}

#[test]
fn a_selector_within_another_is_refused() {
    let server = start(&[]);
    let mut client = server.connect().unwrap();
    let wrong = "-ERR Error in ACL SETUSER modifier";
    let open = "-ERR Unmatched parenthesis in acl selector starting at";
    for (rules, error) in [
        ("( +get ( ~x )", format!("{wrong} '( +get ( ~x )': Syntax error")),
        ("( +get ( ~x ) )", format!("{wrong} '( +get ( ~x )': Syntax error")),
        ("(+get (~x) ~y)", format!("{wrong} '(+get (~x)': Syntax error")),
        ("(+get) (+set (~x", format!("{open} '(+set'.")),
        ("( ( ~x", format!("{open} '('.")),
    ] {
        let request = format!("ACL SETUSER bob on {rules}");
        let reply = client.call(&request.split(' ').collect::<Vec<_>>()).unwrap();
        assert_eq!(String::from_utf8_lossy(&reply.0), format!("{error}\r\n"), "{rules}");
        assert_eq!(call(&mut client, "ACL GETUSER bob"), r"$-1\r\n");
    }
}

#[test]
fn a_wrong_rule_changes_nothing() {
    let server = start(&[]);
    let mut admin = server.connect().unwrap();
    assert_eq!(call(&mut admin, "ACL SETUSER bob on ~x +get (+set ~y)"), OK);
    let before = call(&mut admin, "ACL LIST");
    converse(
        &mut admin,
        &[
            (
                "ACL SETUSER bob -get +nope",
                r"-ERR Error in ACL SETUSER modifier \'+nope\': Unknown command or category name in ACL\r\n",
            ),
            (
                "ACL SETUSER bob allkeys %R",
                r"-ERR Error in ACL SETUSER modifier \'%R\': Adding a pattern after the * pattern (or the \'allkeys\' flag) is not valid and does not have any effect. Try \'resetkeys\' to start with an empty list of patterns\r\n",
            ),
            (
                "ACL SETUSER bob clearselectors (+set",
                r"-ERR Unmatched parenthesis in acl selector starting at \'(+set\'.\r\n",
            ),
            ("ACL SETUSER new on bogus", r"-ERR Error in ACL SETUSER modifier \'bogus\': Syntax error\r\n"),
            ("ACL GETUSER new", r"$-1\r\n"),
            ("ACL SETUSER a\tb on", r"-ERR Usernames can\'t contain spaces or null characters\r\n"),
            ("ACL DELUSER bob default", r"-ERR The \'default\' user cannot be removed\r\n"),
        ],
    );
    assert_eq!(call(&mut admin, "ACL LIST"), before);
}

#[test]
fn users_are_shown_as_in_redis() {
    let server = start(&[]);
    let mut admin = server.connect().unwrap();
    assert_eq!(
        call(&mut admin, "ACL SETUSER bob on >p ~a %R~b &c +@all -@dangerous -debug +debug|sleep (~k +@read -get)"),
        OK
    );
    assert_eq!(
        texts(&mut admin, "ACL LIST"),
        [
            "user bob on sanitize-payload #148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940 ~a %R~b \
             resetchannels &c +@all -@dangerous -debug +debug|sleep (~k resetchannels -@all +@read -get)",
            "user default on nopass sanitize-payload ~* &* +@all",
        ]
    );
    assert_eq!(texts(&mut admin, "ACL USERS"), ["bob", "default"]);
    call(&mut admin, "ACL SETUSER bob reset nopass (%RW~x &y)");
    let fields = r"$5\r\nflags\r\n~3\r\n$3\r\noff\r\n$6\r\nnopass\r\n$16\r\nsanitize-payload\r\n$9\r\npasswords\r\n*0\r\n$8\r\ncommands\r\n$5\r\n-@all\r\n$4\r\nkeys\r\n$0\r\n\r\n$8\r\nchannels\r\n$0\r\n\r\n";
    let selector = r"%3\r\n$8\r\ncommands\r\n$5\r\n-@all\r\n$4\r\nkeys\r\n$2\r\n~x\r\n$8\r\nchannels\r\n$2\r\n&y\r\n";
    call(&mut admin, "HELLO 3");
    assert_eq!(call(&mut admin, "ACL GETUSER bob"), format!(r"%6\r\n{fields}$9\r\nselectors\r\n*1\r\n{selector}"));
    assert!(texts(&mut admin, "ACL CAT").contains(&"keyspace".into()));
    assert!(texts(&mut admin, "ACL CAT hash").contains(&"hget".into()));
    assert_eq!(call(&mut admin, "ACL CAT nope"), r"-ERR Unknown category \'nope\'\r\n");
    assert_eq!(texts(&mut admin, "COMMAND LIST FILTERBY ACLCAT nope").len(), 0);
    assert_eq!(admin.call(&["ACL", "GENPASS"]).unwrap().payload().len(), 64);
    assert_eq!(admin.call(&["ACL", "GENPASS", "5"]).unwrap().payload().len(), 2);
}

#[test]
fn dry_runs_tell_what_would_be_denied() {
    let server = start(&[]);
    let mut admin = server.connect().unwrap();
    converse(
        &mut admin,
        &[
            ("ACL SETUSER bob ~a +get +set", OK),
            ("ACL DRYRUN bob get a", OK),
            ("ACL DRYRUN bob get secret", r"$54\r\nUser bob has no permissions to access the \'secret\' key\r\n"),
            ("ACL DRYRUN bob del a", r"$52\r\nUser bob has no permissions to run the \'del\' command\r\n"),
            ("ACL DRYRUN bob nope", r"-ERR Command \'nope\' not found\r\n"),
            ("ACL DRYRUN bob get", r"-ERR wrong number of arguments for \'get\' command\r\n"),
            ("ACL DRYRUN eve get a", r"-ERR User \'eve\' not found\r\n"),
        ],
    );
}

#[test]
fn what_is_denied_is_logged_and_counted() {
    let server = start(&[]);
    let mut admin = server.connect().unwrap();
    assert_eq!(call(&mut admin, "ACL SETUSER bob on >pass ~a +@all -keys"), OK);
    let mut bob = connect_as(&server, "bob");
    call(&mut bob, "CLIENT SETNAME thief");
    call(&mut bob, "GET secret");
    call(&mut bob, "KEYS *");
    call(&mut bob, "GET secret");
    call(&mut bob, "AUTH eve x");
    let entries = admin.call(&["ACL", "LOG"]).unwrap().elements();
    let fields: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            entry.elements().iter().map(|field| String::from_utf8_lossy(field.payload()).into_owned()).collect()
        })
        .collect();
    let shown: Vec<String> = fields.iter().map(|entry| entry[..10].join(" ")).collect();
    assert_eq!(
        shown,
        [
            "count 1 reason auth context toplevel object AUTH username eve",
            "count 2 reason key context toplevel object secret username bob",
            "count 1 reason command context toplevel object keys username bob",
        ]
    );
    let names: Vec<&str> = fields[1].iter().step_by(2).map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "count",
            "reason",
            "context",
            "object",
            "username",
            "age-seconds",
            "client-info",
            "entry-id",
            "timestamp-created",
            "timestamp-last-updated"
        ]
    );
    assert!(fields[1][13].contains("name=thief") && fields[1][13].contains("cmd=get user=bob"), "{}", fields[1][13]);
    assert_eq!(fields[1][15], "0");
    let info = admin.call(&["INFO", "stats"]).unwrap();
    let info = String::from_utf8_lossy(info.payload()).into_owned();
    for line in ["auth:1", "cmd:1", "key:2", "channel:0"] {
        assert!(info.contains(&format!("acl_access_denied_{line}\r\n")), "{line}");
    }
    converse(
        &mut admin,
        &[
            ("CONFIG SET acllog-max-len 1", OK),
            ("ACL LOG RESET", OK),
            ("ACL LOG", r"*0\r\n"),
            ("ACL LOG x", r"-ERR value is not an integer or out of range\r\n"),
        ],
    );
    call(&mut bob, "KEYS *");
    call(&mut bob, "GET b");
    assert_eq!(admin.call(&["ACL", "LOG"]).unwrap().elements().len(), 1);
}

#[test]
fn clients_of_deleted_users_are_disconnected() {
    let server = start(&[]);
    let mut admin = server.connect().unwrap();
    for user in ["bob", "eve"] {
        assert_eq!(call(&mut admin, &format!("ACL SETUSER {user} on >pass ~* +@all")), OK);
    }
    let (mut bob, mut waiting, mut eve) =
        (connect_as(&server, "bob"), connect_as(&server, "bob"), connect_as(&server, "eve"));
    waiting.send(&["BLPOP", "list", "0"]).unwrap();
    while !call(&mut admin, "CLIENT LIST").contains("flags=b") {}
    assert!(call(&mut eve, "CLIENT LIST").contains("cmd=blpop user=bob"));
    assert_eq!(call(&mut admin, "ACL DELUSER bob nobody"), r":1\r\n");
    assert!(waiting.read().is_err() && bob.call(&["PING"]).is_err());
    assert_eq!(call(&mut eve, "RPUSH list x"), r":1\r\n", "nobody waits for it any more");
    // Who deletes himself still hears of it.
    assert_eq!(call(&mut eve, "ACL DELUSER eve"), r":1\r\n");
    assert!(eve.call(&["PING"]).is_err());
    assert_eq!(call(&mut admin, "CLIENT KILL USER eve"), r"-ERR No such user \'eve\'\r\n");
}

#[test]
fn what_waits_is_checked_again_when_it_is_served() {
    let server = start(&[]);
    let mut admin = server.connect().unwrap();
    let no_command = r"-NOPERM User bob has no permissions to run the \'blmove\' command\r\n";
    for (change, reply, left) in
        [("-blmove", no_command, 1), ("resetkeys ~from", NO_KEY, 1), ("off", r"$1\r\nx\r\n", 0)]
    {
        assert_eq!(call(&mut admin, "ACL SETUSER bob reset on >pass ~* +@all"), OK);
        let mut bob = connect_as(&server, "bob");
        bob.send(&["BLMOVE", "from", "to", "LEFT", "RIGHT", "0"]).unwrap();
        while !call(&mut admin, "CLIENT LIST").contains("flags=b") {}
        assert_eq!(call(&mut admin, &format!("ACL SETUSER bob {change}")), OK);
        assert_eq!(call(&mut admin, "RPUSH from x"), r":1\r\n");
        assert_eq!(bob.read().unwrap().0.escape_ascii().to_string(), reply, "{change}");
        assert_eq!(call(&mut admin, "LLEN from"), format!(r":{left}\r\n"), "{change}");
        call(&mut admin, "DEL from to");
    }
}

#[test]
fn the_default_user_is_who_has_not_logged_in() {
    let server = start(&[]);
    let (mut admin, mut old) = (server.connect().unwrap(), server.connect().unwrap());
    // Now it has been let in.
    converse(&mut old, &[("PING", r"+PONG\r\n")]);
    converse(
        &mut admin,
        &[
            (
                "AUTH x",
                r"-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n",
            ),
            ("AUTH default anything", OK),
            ("CONFIG SET requirepass secret", OK),
        ],
    );
    let no_auth = r"-NOAUTH Authentication required.\r\n";
    let mut new = server.connect().unwrap();
    converse(&mut new, &[("PING", no_auth), ("AUTH wrong", WRONG_PASS), ("AUTH secret", OK), ("PING", r"+PONG\r\n")]);
    assert_eq!(call(&mut old, "PING"), r"+PONG\r\n", "who was in stays in");
    converse(&mut old, &[("RESET", r"+RESET\r\n"), ("PING", no_auth)]);
    // Strangers may not send much; this one is none any more.
    let large = "x".repeat(100_000);
    assert_eq!(call(&mut admin, "ACL SETUSER default nopass"), OK);
    assert_eq!(old.call(&["SET", "k", &large]).unwrap().payload(), b"OK");
    assert_eq!(call(&mut admin, "ACL SETUSER default -@all +acl +config +auth ~* nopass"), OK);
    converse(&mut old, &[("PING", r"-NOPERM User default has no permissions to run the \'ping\' command\r\n")]);
    assert_eq!(call(&mut admin, "ACL SETUSER default off +@all"), OK);
    assert_eq!(call(&mut server.connect().unwrap(), "PING"), no_auth);
}

#[test]
fn users_live_in_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.conf");
    fs::write(&path, "user bob on >pass ~\"a\\\"b\" +get (~c +set)\nuser default on >x ~* +@all\n").unwrap();
    let configured = ServerBuilder::new(server_under_test(env!("CARGO_BIN_EXE_server-under-test"))).config(&path);
    let server = configured.start().unwrap();
    let mut admin = server.connect().unwrap();
    converse(
        &mut admin,
        &[("AUTH x", OK), ("ACL SETUSER eve nopass", OK), ("ACL LOAD", NO_FILE), ("CONFIG REWRITE", OK)],
    );
    let users = texts(&mut admin, "ACL LIST");
    assert!(users[0].starts_with("user bob on sanitize-payload #"), "{}", users[0]);
    assert!(users[0].ends_with(" ~a\"b resetchannels -@all +get (~c resetchannels -@all +set)"), "{}", users[0]);
    drop(admin);
    server.stop().unwrap();
    // The first server's directory went with it.
    let text = fs::read_to_string(&path).unwrap();
    let kept = text.lines().filter(|line| !line.starts_with("dir ")).collect::<Vec<_>>().join("\n");
    fs::write(&path, kept).unwrap();
    let server = configured.start().unwrap();
    let mut admin = server.connect().unwrap();
    assert_eq!(call(&mut admin, "AUTH x"), OK);
    assert_eq!(texts(&mut admin, "ACL LIST"), users);
}

const NO_FILE: &str = r"-ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.\r\n";

#[test]
fn users_live_in_a_file_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.acl");
    fs::write(&path, "user bob on >pass ~* +@all\r\n\n  user eve on nopass (+get   ~a)\n").unwrap();
    let server = start(&["--aclfile", path.to_str().unwrap()]);
    let mut admin = server.connect().unwrap();
    assert_eq!(texts(&mut admin, "ACL USERS"), ["bob", "default", "eve"]);
    let (mut bob, mut eve) = (connect_as(&server, "bob"), connect_as(&server, "eve"));

    fs::write(&path, "user bob on ~x +get\nuser bob on\nuser zoe +nope bogus\nfoo\n").unwrap();
    let at = |line: usize| format!("{}:{line}", path.display());
    let errors = format!(
        r"-ERR WARNING: Duplicate user \'bob\' found on line 2. {}: Error in applying operation \'+nope\': Unknown command or category name in ACL. {}: Syntax error. {} should start with user keyword followed by the username. WARNING: ACL errors detected, no change to the previously active ACL rules was performed\r\n",
        at(3),
        at(3),
        at(4)
    );
    assert_eq!(call(&mut admin, "ACL LOAD"), errors);
    assert_eq!(texts(&mut admin, "ACL USERS"), ["bob", "default", "eve"]);

    fs::write(&path, "user bob on ~x +get\n").unwrap();
    assert_eq!(call(&mut admin, "ACL LOAD"), OK);
    converse(&mut bob, &[("GET x", r"$-1\r\n"), ("GET y", NO_KEY)]);
    assert!(eve.call(&["PING"]).is_err());
    converse(&mut admin, &[("ACL SETUSER zoe on", OK), ("ACL SAVE", OK)]);
    let saved = "user bob on sanitize-payload ~x resetchannels -@all +get\n\
                 user default on nopass sanitize-payload ~* &* +@all\n\
                 user zoe on sanitize-payload resetchannels -@all\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), saved);
    fs::remove_file(&path).unwrap();
    let gone = format!(r"-ERR Error loading ACLs, opening file \'{}\': No such file or directory\r\n", path.display());
    assert_eq!(call(&mut admin, "ACL LOAD"), gone);
}

/// How a server ends that is started with this configuration.
fn refusal(folder: &Path, text: &str) -> String {
    let path = folder.join("wrong.conf");
    fs::write(&path, text).unwrap();
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    let output = std::process::Command::new(binary).arg(&path).args(["--port", "0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    [output.stdout, output.stderr].iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
}

#[test]
fn wrong_users_keep_the_server_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let nested = folder.path().join("nested.acl");
    fs::write(&nested, "user bob on ( +get ( ~x )\n").unwrap();
    let with_nested = format!("aclfile {}\n", nested.display());
    let cases = [
        (with_nested.as_str(), "nested.acl:1: Syntax error. WARNING: ACL errors detected"),
        ("user bob on ( +get ( ~x )\n", "Error in user declaration '( +get ( ~x )': Syntax error"),
        ("user bob on bogus\n", "Error in user declaration 'bogus': Syntax error"),
        ("user bob on\nuser bob off\n", "Error in user declaration 'bob': Duplicate user found."),
        ("user bob on (+get\n", "Error in user declaration '(+get': Unmatched parenthesis"),
        (
            "user bob +nope\n",
            "Error loading ACL rule '+nope' for the user named 'bob': Unknown command or category name in ACL",
        ),
        ("user \"a b\" on\n", "Spaces not allowed in ACL usernames"),
        ("aclfile none.acl\n", "Aborting Redis startup because of ACL errors: Error loading ACLs, opening file"),
        (
            "aclfile none.acl\nuser bob on\n",
            "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path",
        ),
    ];
    for (text, reason) in cases {
        let said = refusal(folder.path(), text);
        assert!(said.contains(reason), "{text}: {said}");
    }
}

#[test]
fn rules_change_under_load() {
    let server = start(&[]);
    let mut admin = server.connect().unwrap();
    assert_eq!(call(&mut admin, "ACL SETUSER bob on >pass ~* +@all"), OK);
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let mut bob = connect_as(&server, "bob");
            thread::spawn(move || {
                let (mut allowed, mut denied) = (0, 0);
                for _ in 0..1000 {
                    match call(&mut bob, "GET k").as_str() {
                        r"$-1\r\n" => allowed += 1,
                        NO_KEY => denied += 1,
                        other => panic!("{other}"),
                    }
                }
                (allowed, denied)
            })
        })
        .collect();
    let mut own = connect_as(&server, "bob");
    for round in 0..200 {
        let (change, reply) = if round % 2 == 0 { ("resetkeys", NO_KEY) } else { ("~*", r"$-1\r\n") };
        assert_eq!(call(&mut admin, &format!("ACL SETUSER bob {change}")), OK);
        // At once: whoever heard the change finds it done, on whatever thread.
        assert_eq!(call(&mut own, "GET k"), reply);
    }
    for client in clients {
        let (allowed, denied) = client.join().unwrap();
        assert_eq!(allowed + denied, 1000);
    }
}

#[test]
fn transactions_are_checked_when_queued_and_when_carried_out() {
    let server = start(&[]);
    let mut admin = server.connect().unwrap();
    assert_eq!(call(&mut admin, "ACL SETUSER bob on >pass ~* +@all -del"), OK);
    let mut bob = connect_as(&server, "bob");
    converse(
        &mut bob,
        &[
            ("MULTI", OK),
            ("DEL a", r"-NOPERM User bob has no permissions to run the \'del\' command\r\n"),
            ("EXEC", r"-EXECABORT Transaction discarded because of previous errors.\r\n"),
            ("MULTI", OK),
            ("SET a 1", r"+QUEUED\r\n"),
            ("SET b 1", r"+QUEUED\r\n"),
        ],
    );
    assert_eq!(call(&mut admin, "ACL SETUSER bob resetkeys ~b"), OK);
    let changed = "-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This \
                   command is no longer allowed for the following reason: no permission to touch the specified keys";
    assert_eq!(call(&mut bob, "EXEC"), format!(r"*2\r\n{changed}\r\n+OK\r\n"));
    assert_eq!(call(&mut admin, "EXISTS a b"), r":1\r\n");
    let latest = admin.call(&["ACL", "LOG", "1"]).unwrap().elements();
    let fields = latest[0].elements();
    assert_eq!((fields[5].payload(), fields[7].payload()), (&b"multi"[..], &b"a"[..]));
    converse(&mut bob, &[("MULTI", OK)]);
    assert_eq!(call(&mut admin, "ACL SETUSER bob -exec"), OK);
    let refused = r"-EXECABORT Transaction discarded because of: NOPERM User bob has no permissions to run the \'exec\' command\r\n";
    converse(&mut bob, &[("EXEC", refused)]);
}

#[test]
fn channels_need_permissions_and_are_lost_with_them() {
    let server = start(&[]);
    let mut admin = server.connect().unwrap();
    let no_channel = r"-NOPERM No permissions to access a channel\r\n";
    assert_eq!(call(&mut admin, "ACL SETUSER bob on >pass +@all &news:* &x"), OK);
    let mut bob = connect_as(&server, "bob");
    converse(
        &mut bob,
        &[
            ("PUBLISH news:1 a", r":0\r\n"),
            ("PUBLISH other a", no_channel),
            ("SPUBLISH other a", no_channel),
            ("PSUBSCRIBE news:1*", no_channel),
            ("SUBSCRIBE x other", no_channel),
            ("UNSUBSCRIBE other", r"*3\r\n$11\r\nunsubscribe\r\n$5\r\nother\r\n:0\r\n"),
            ("SUBSCRIBE news:1", r"*3\r\n$9\r\nsubscribe\r\n$6\r\nnews:1\r\n:1\r\n"),
        ],
    );
    let mut other = connect_as(&server, "bob");
    call(&mut other, "PSUBSCRIBE news:*");
    // Nobody loses anything as long as the patterns are still there, or the channels are allowed by others.
    converse(&mut admin, &[("ACL SETUSER bob &y", OK), ("ACL SETUSER bob resetchannels &news:* &n*", OK)]);
    converse(&mut admin, &[("PUBLISH news:1 hello", r":2\r\n")]);
    assert_eq!(
        bob.read().unwrap().0.escape_ascii().to_string(),
        r"*3\r\n$7\r\nmessage\r\n$6\r\nnews:1\r\n$5\r\nhello\r\n"
    );
    assert_eq!(other.read().unwrap().kind(), b'*');
    assert_eq!(call(&mut admin, "ACL SETUSER bob resetchannels &n*"), OK);
    call(&mut admin, "PUBLISH news:1 secret");
    assert!(other.read().is_err(), "its pattern is not allowed any more");
    assert!(bob.read().unwrap().0.escape_ascii().to_string().contains("secret"));
    assert_eq!(call(&mut admin, "ACL SETUSER bob resetchannels"), OK);
    call(&mut admin, "PUBLISH news:1 secret");
    assert!(bob.read().is_err());
}

#[test]
fn a_broken_file_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("users.acl");
    let good = "user default on nopass ~* &* +@all\n";
    std::fs::write(&file, good).expect("written");
    let server = start(&["--aclfile", &file.display().to_string()]);
    let (mut admin, mut poor) = (server.connect().expect("a connection"), server.connect().expect("a connection"));
    call(&mut admin, "ACL SETUSER poor on nopass ~k* +get");
    call(&mut poor, "AUTH poor x");
    let users = texts(&mut admin, "ACL LIST");
    for wrong in [
        "user new on nosuchrule",
        "user new on\nuser new off",
        "user new +nosuch",
        "new on",
        "user two names on",
        "user new (~a",
    ] {
        std::fs::write(&file, format!("{good}user first on nopass ~* +@all\n{wrong}\n")).expect("written");
        let reply = call(&mut admin, "ACL LOAD");
        assert!(
            reply.ends_with(
                "WARNING: ACL errors detected, no change to the previously active ACL rules was performed\\r\\n"
            ),
            "{reply}"
        );
        assert_eq!(texts(&mut admin, "ACL LIST"), users);
        assert_eq!(call(&mut poor, "GET k"), "$-1\\r\\n");
    }
    std::fs::write(&file, good).expect("written");
    assert_eq!(call(&mut admin, "ACL LOAD"), "+OK\\r\\n");
    assert!(poor.call(&["GET", "k"]).is_err());
    assert_eq!(texts(&mut admin, "ACL USERS"), ["default"]);
}
