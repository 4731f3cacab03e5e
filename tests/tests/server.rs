//! Commands about the server: its report on itself, its logs, its configuration and its end.

use std::time::{Duration, Instant};

use harness::{Connection, Server, server_under_test};

fn start(args: &[&str]) -> Server {
    Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), args).unwrap()
}

fn text(connection: &mut Connection, command: &str) -> String {
    let words: Vec<&str> = command.split(' ').collect();
    String::from_utf8_lossy(connection.call(&words).unwrap().payload()).into_owned()
}

/// A field of INFO.
fn field(connection: &mut Connection, section: &str, name: &str) -> Option<String> {
    let report = text(connection, &format!("INFO {section}"));
    report.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.to_string()))
}

#[test]
fn info_counts_what_is_done() {
    let server = start(&[]);
    let mut client = server.connect().unwrap();
    assert_eq!(text(&mut client, "CONFIG RESETSTAT"), "OK");
    text(&mut client, "SET a 1");
    text(&mut client, "SET b 1 EX 1000");
    text(&mut client, "GET a");
    text(&mut client, "GET nosuch");
    text(&mut client, "SET a");
    text(&mut client, "INCR");
    let get = |client: &mut Connection, section: &str, name: &str| field(client, section, name).unwrap_or_default();
    assert_eq!(get(&mut client, "stats", "keyspace_hits"), "1");
    assert_eq!(get(&mut client, "stats", "keyspace_misses"), "1");
    assert_eq!(get(&mut client, "stats", "total_error_replies"), "2");
    assert_eq!(get(&mut client, "errorstats", "errorstat_ERR"), "count=2");
    let set = get(&mut client, "commandstats", "cmdstat_set");
    assert!(set.starts_with("calls=2,") && set.ends_with(",rejected_calls=1,failed_calls=0"), "{set}");
    assert!(get(&mut client, "latencystats", "latency_percentiles_usec_set").starts_with("p50="));
    let keyspace = get(&mut client, "keyspace", "db0");
    let ttl =
        keyspace.strip_prefix("keys=2,expires=1,avg_ttl=").and_then(|rest| rest.split(',').next()?.parse::<i64>().ok());
    assert!(ttl.is_some_and(|ttl| (900_000..=1_000_000).contains(&ttl)), "{keyspace}");
    assert_eq!(get(&mut client, "server", "process_id"), server.pid().to_string());
    assert_eq!(get(&mut client, "server", "tcp_port"), server.port().to_string());
    text(&mut client, "WATCH a b");
    assert_eq!(get(&mut client, "clients", "watching_clients"), "1");
    text(&mut client, "UNWATCH");
    assert_eq!(get(&mut client, "clients", "watching_clients"), "0");
    assert_eq!(text(&mut client, "CONFIG RESETSTAT"), "OK");
    assert_eq!(field(&mut client, "errorstats", "errorstat_ERR"), None);
    assert_eq!(field(&mut client, "commandstats", "cmdstat_set"), None);
}

#[test]
fn commands_of_clusters_say_that_there_is_none() {
    let server = start(&[]);
    let mut client = server.connect().unwrap();
    let disabled = r"-ERR This instance has cluster support disabled\r\n";
    for command in
        ["CLUSTER INFO", "CLUSTER SLOTS", "CLUSTER HELP", "CLUSTER KEYSLOT a", "READONLY", "READWRITE", "ASKING"]
    {
        assert_eq!(harness::call(&mut client, command), disabled, "{command}");
        assert_eq!(harness::call(&mut client, "MULTI"), r"+OK\r\n");
        assert_eq!(harness::call(&mut client, command), r"+QUEUED\r\n");
        assert_eq!(harness::call(&mut client, "EXEC"), format!(r"*1\r\n{disabled}"));
        let words: Vec<String> = command.split(' ').map(|word| format!("'{word}'")).collect();
        let script = format!("return redis.pcall({})", words.join(","));
        assert_eq!(client.call(&["EVAL", &script, "0"]).unwrap().0.escape_ascii().to_string(), disabled);
    }
    harness::converse(
        &mut client,
        &[
            ("CLUSTER", r"-ERR wrong number of arguments for \'cluster\' command\r\n"),
            ("CLUSTER KEYSLOT", r"-ERR wrong number of arguments for \'cluster|keyslot\' command\r\n"),
            ("CLUSTER FOO", r"-ERR unknown subcommand \'FOO\'. Try CLUSTER HELP.\r\n"),
            ("ACL SETUSER u on nopass +@connection", r"+OK\r\n"),
            ("ACL DRYRUN u ASKING", r"+OK\r\n"),
            ("ACL DRYRUN u CLUSTER INFO", r"$59\r\nUser u has no permissions to run the \'cluster|info\' command\r\n"),
        ],
    );
}

#[test]
fn there_are_no_modules() {
    let refused = r#"-ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.\r\n"#;
    let unknown = r"-ERR Error unloading module: no such module with that name\r\n";
    let loading = r"-ERR Error loading the extension. This server cannot load modules.\r\n";
    for (allowed, load, unload) in [("no", refused, refused), ("local", loading, unknown)] {
        let server = start(&["--enable-module-command", allowed]);
        let mut client = server.connect().unwrap();
        harness::converse(
            &mut client,
            &[
                ("MODULE LIST", r"*0\r\n"),
                ("MODULE LOAD /x.so", load),
                ("MODULE LOADEX /x.so ARGS a", load),
                ("MODULE UNLOAD x", unload),
                ("MODULE FOO", r"-ERR unknown subcommand \'FOO\'. Try MODULE HELP.\r\n"),
            ],
        );
        let reply = client.call(&["EVAL", "return redis.pcall('module', 'list')", "0"]).unwrap();
        assert_eq!(reply.payload(), b"ERR This Redis command is not allowed from script");
    }
}

#[test]
fn slow_commands_are_logged_without_secrets() {
    let server = start(&["--slowlog-log-slower-than", "0", "--enable-debug-command", "yes"]);
    let mut client = server.connect().unwrap();
    text(&mut client, "CLIENT SETNAME tester");
    text(&mut client, "CONFIG SET masterauth secret");
    text(&mut client, "SLOWLOG RESET");
    text(&mut client, "CONFIG SET masterauth secret");
    client.call(&["SET", "k", &"x".repeat(200)]).unwrap();
    text(&mut client, "CONFIG SET slowlog-log-slower-than -1");
    let entries = client.call(&["SLOWLOG", "GET", "-1"]).unwrap().elements();
    // The command that switched the log off is not in it.
    assert_eq!(entries.len(), 3);
    let args = |index: usize| {
        let args = entries[index].elements()[3].elements();
        args.iter().map(|arg| String::from_utf8_lossy(arg.payload()).into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(args(1), ["CONFIG", "SET", "masterauth", "(redacted)"]);
    assert_eq!(args(0)[2], format!("{}... (72 more bytes)", "x".repeat(128)));
    assert_eq!(entries[0].elements()[5].payload(), b"tester");
    assert_eq!(text(&mut client, "SLOWLOG GET -2"), "ERR count should be greater than or equal to -1");
}

#[test]
fn latency_is_watched() {
    let server = start(&["--latency-monitor-threshold", "20", "--enable-debug-command", "local"]);
    let mut client = server.connect().unwrap();
    text(&mut client, "DEBUG SLEEP 0.05");
    let latest = client.call(&["LATENCY", "LATEST"]).unwrap().elements();
    let event = latest.iter().map(|event| event.elements()).find(|event| event[0].payload() == b"command");
    let event = event.expect("the sleep is an event");
    assert!(event[2].integer().unwrap() >= 50 && event[3].integer().unwrap() >= 50);
    assert!(!client.call(&["LATENCY", "HISTORY", "command"]).unwrap().elements().is_empty());
    assert!(text(&mut client, "LATENCY GRAPH command").starts_with("command - high "));
    assert!(text(&mut client, "LATENCY DOCTOR").contains("1. command: "));
    let histogram = client.call(&["LATENCY", "HISTOGRAM", "debug", "nosuch", "latency|latest"]).unwrap().elements();
    assert_eq!(histogram.len(), 4);
    assert_eq!(histogram[1].elements()[1].integer(), Some(1));
    assert!(client.call(&["LATENCY", "RESET"]).unwrap().integer().unwrap() >= 1);
    assert!(client.call(&["LATENCY", "LATEST"]).unwrap().elements().is_empty());
}

#[test]
fn monitor_shows_every_client() {
    let server = start(&[]);
    let mut watcher = server.connect().unwrap();
    assert_eq!(text(&mut watcher, "MONITOR"), "OK");
    let mut client = server.connect().unwrap();
    text(&mut client, "AUTH user password");
    text(&mut client, "CONFIG GET port");
    client.call(&[&b"set"[..], b"k\r\n", b"\"\x00\xff"]).unwrap();
    let mut next = || String::from_utf8_lossy(watcher.read().unwrap().payload()).into_owned();
    assert!(next().ends_with(r#"] "AUTH" "(redacted)" "(redacted)""#));
    let line = next();
    assert!(line.contains(" [0 127.0.0.1:") && line.ends_with(r#"] "set" "k\r\n" "\"\x00\xff""#), "{line}");
}

#[test]
fn debug_is_closed_unless_opened() {
    let server = start(&[]);
    let mut client = server.connect().unwrap();
    assert!(text(&mut client, "DEBUG SLEEP 0").starts_with("ERR DEBUG command not allowed. If the "));
    assert!(text(&mut client, "CONFIG SET dir /tmp").ends_with(" - can't set protected config"));
    let open = start(&["--enable-debug-command", "yes"]);
    let mut client = open.connect().unwrap();
    assert_eq!(text(&mut client, "DEBUG SLEEP 0"), "OK");
    assert_eq!(
        text(&mut client, "DEBUG NOSUCH"),
        "ERR unknown subcommand or wrong number of arguments for 'NOSUCH'. Try DEBUG HELP."
    );
}

#[test]
fn digests_are_those_of_redis() {
    let server = start(&["--enable-debug-command", "yes"]);
    let mut client = server.connect().unwrap();
    assert_eq!(text(&mut client, "DEBUG DIGEST"), "0".repeat(40));
    for command in ["SET a b", "SET n 123", "SET e 5 EX 1000"] {
        text(&mut client, command);
    }
    let values = client.call(&["DEBUG", "DIGEST-VALUE", "a", "n", "e", "nosuch"]).unwrap().elements();
    let values: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value.payload()).into_owned()).collect();
    assert_eq!(values[0], "b78559cd22bce6e6df712eb99ce7f3b08e8f8f1f");
    assert_eq!(values[1], "89f7f51b707418f666d5b45e053bd5bbbf82ac2b");
    assert_eq!(values[2], "1e47b7737b7537b3113b09ca0319a5fd0e2bf48d");
    assert_eq!(values[3], "0".repeat(40));
    let before = text(&mut client, "DEBUG DIGEST");
    text(&mut client, "SWAPDB 0 5");
    assert_ne!(text(&mut client, "DEBUG DIGEST"), before);
    text(&mut client, "SWAPDB 5 0");
    assert_eq!(text(&mut client, "DEBUG DIGEST"), before);
}

#[test]
fn flushing_empties_what_it_says() {
    for mode in ["", " ASYNC", " SYNC"] {
        let server = start(&["--enable-debug-command", "yes"]);
        let mut client = server.connect().unwrap();
        text(&mut client, "DEBUG POPULATE 1000");
        text(&mut client, "SELECT 1");
        text(&mut client, "DEBUG POPULATE 10 p 100");
        assert_eq!(text(&mut client, &format!("FLUSHDB{mode}")), "OK");
        assert_eq!(client.call(&["DBSIZE"]).unwrap().integer(), Some(0));
        text(&mut client, "SELECT 0");
        assert_eq!(client.call(&["DBSIZE"]).unwrap().integer(), Some(1000));
        assert_eq!(text(&mut client, &format!("FLUSHALL{mode}")), "OK");
        assert_eq!(client.call(&["DBSIZE"]).unwrap().integer(), Some(0));
    }
}

#[test]
fn shutdown_ends_the_connection_and_the_process() {
    let server = start(&[]);
    let mut client = server.connect().unwrap();
    assert_eq!(text(&mut client, "SHUTDOWN ABORT"), "ERR No shutdown in progress.");
    assert_eq!(text(&mut client, "SHUTDOWN SAVE NOSAVE"), "ERR syntax error");
    client.send(&["SHUTDOWN", "NOSAVE"]).unwrap();
    assert_eq!(client.read_to_close().unwrap(), b"");
    let deadline = Instant::now() + Duration::from_secs(30);
    while server.connect().is_ok() {
        assert!(Instant::now() < deadline, "still there");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_crash_leaves_a_report() {
    let server = start(&["--enable-debug-command", "yes"]);
    let mut connection = server.connect().expect("a connection");
    let _ = connection.send(&["DEBUG", "SEGFAULT"]);
    let (status, log) = server.wait().expect("it ends");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGSEGV), "{log}");
    assert!(log.contains("crashed by signal: 11") && log.contains("BUG REPORT END"), "{log}");
}

#[test]
fn sizes_of_keys_are_counted() {
    let server = start(&[]);
    let mut client = server.connect().unwrap();
    let requests = [
        "SET a abc",
        "SET i 12345",
        "SETBIT bits 100000 1",
        "RPUSH l 1 2 3",
        "SADD s a",
        "ZADD z 1 a",
        "HSET h a 1 b 2 c 3 d 4 e 5",
        "XADD x 1-1 a b",
        "SELECT 3",
    ];
    requests.iter().for_each(|request| drop(text(&mut client, request)));
    client.call(&["SET", "empty", ""]).unwrap();
    assert_eq!(
        text(&mut client, "INFO keysizes"),
        "# Keysizes\r\ndb0_distrib_strings_sizes:2=1,4=1,8K=1\r\ndb0_distrib_lists_items:2=1\r\n\
         db0_distrib_sets_items:1=1\r\ndb0_distrib_zsets_items:1=1\r\ndb0_distrib_hashes_items:4=1\r\n\
         db3_distrib_strings_sizes:0=1\r\n"
    );
}

#[test]
fn the_peak_of_memory_outlives_a_reset_of_statistics() {
    let server = start(&[]);
    let mut client = server.connect().unwrap();
    client.call(&["SET", "big", &"x".repeat(32 << 20)]).unwrap();
    let peak = |client: &mut Connection| -> u64 {
        field(client, "memory", "used_memory_peak").and_then(|peak| peak.parse().ok()).unwrap()
    };
    while peak(&mut client) < 32 << 20 {}
    text(&mut client, "DEL big");
    text(&mut client, "CONFIG RESETSTAT");
    assert!(peak(&mut client) >= 32 << 20);
}

#[test]
fn debug_reaches_what_tests_need() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.conf");
    std::fs::write(&path, "enable-debug-command yes\n").unwrap();
    let binary = server_under_test(env!("CARGO_BIN_EXE_server-under-test"));
    // The file comes first among the arguments.
    let server = harness::ServerBuilder::new(binary).config(&path).start().unwrap();
    let mut client = server.connect().unwrap();
    assert_eq!(text(&mut client, "DEBUG CONFIG-REWRITE-FORCE-ALL"), "OK");
    let file = std::fs::read_to_string(&path).unwrap();
    assert!(file.contains("\nmaxclients 10000\n") && file.contains("\nhz 10\n"), "{file}");
    assert!(text(&mut client, "DEBUG STRUCTSIZE").starts_with("bits:64 "));

    // Elements from the threshold on are kept on their own, which takes more memory.
    text(&mut client, "CONFIG SET list-max-listpack-size 8");
    let list = |client: &mut Connection| {
        text(client, "DEL l");
        text(client, &format!("RPUSH l{}", " 0123456789".repeat(100)));
        client.call(&["MEMORY", "USAGE", "l"]).unwrap().integer().unwrap()
    };
    let packed = list(&mut client);
    assert_eq!(text(&mut client, "DEBUG QUICKLIST-PACKED-THRESHOLD 5b"), "OK");
    assert!(list(&mut client) > packed);
    assert_eq!(text(&mut client, "DEBUG QUICKLIST-PACKED-THRESHOLD 0"), "OK");
    assert_eq!(list(&mut client), packed);
    let wrong = "ERR argument must be a memory value bigger than 1 and smaller than 4gb";
    assert_eq!(text(&mut client, "DEBUG QUICKLIST-PACKED-THRESHOLD 4gb"), wrong);

    let table = |client: &mut Connection| -> u64 {
        let stats = text(client, "DEBUG HTSTATS 0");
        stats.lines().find_map(|line| line.trim().strip_prefix("bytes: ")?.parse().ok()).unwrap()
    };
    text(&mut client, "DEBUG POPULATE 100000");
    let full = table(&mut client);
    let remove = |client: &mut Connection, keys: std::ops::Range<usize>| {
        let names = keys.map(|number| format!("key:{number}"));
        client.call(&["DEL".to_string()].into_iter().chain(names).collect::<Vec<_>>()).unwrap();
    };
    assert_eq!(text(&mut client, "DEBUG DICT-RESIZING 0"), "OK");
    remove(&mut client, 0..90_000);
    let unshrunk = table(&mut client);
    assert_eq!(text(&mut client, "DEBUG DICT-RESIZING 1"), "OK");
    remove(&mut client, 90_000..99_000);
    let shrunk = table(&mut client);
    assert!(shrunk < unshrunk && unshrunk < full, "{full} {unshrunk} {shrunk}");
}

#[test]
fn big_values_that_are_replaced_are_freed_in_the_background() {
    let server = start(&["--list-max-listpack-size", "1"]);
    let mut client = server.connect().unwrap();
    for request in ["RENAME small big", "COPY small big REPLACE", "SET big 1"] {
        text(&mut client, "DEL big");
        text(&mut client, &format!("RPUSH big{}", " x".repeat(500)));
        text(&mut client, "SET small 1");
        text(&mut client, "CONFIG RESETSTAT");
        text(&mut client, request);
        let limit = Instant::now() + Duration::from_secs(30);
        while field(&mut client, "memory", "lazyfreed_objects").as_deref() != Some("1") {
            assert!(Instant::now() < limit, "{request}");
        }
    }
}
