//! EVAL, FCALL and what goes with them, through the socket. What scripts can do within is tested in the scripting crate.

use std::thread;

use harness::{Connection, Server, escape, server_under_test};

fn start(workers: &str) -> Server {
    let args = ["--io-threads", workers, "--enable-debug-command", "yes", "--busy-reply-threshold", "50"];
    Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), &args).expect("the server starts")
}

fn connect(server: &Server) -> Connection {
    server.connect().expect("a connection")
}

fn call<A: AsRef<[u8]>>(connection: &mut Connection, words: &[A]) -> String {
    escape(&connection.call(words).expect("a reply").0)
}

#[test]
fn keys_need_not_be_declared() {
    let server = start("4");
    let mut client = connect(&server);
    let script = "for i = 1, 50 do redis.call('incr', 'key:' .. i) end return redis.call('get', KEYS[1])";
    // The first run finds out, the second knows.
    assert_eq!(call(&mut client, &["EVAL", script, "1", "key:1"]), "$1\\r\\n1\\r\\n");
    assert_eq!(call(&mut client, &["EVAL", script, "1", "key:1"]), "$1\\r\\n2\\r\\n");
    assert_eq!(call(&mut client, &["DBSIZE"]), ":50\\r\\n");
}

#[test]
fn forgotten_scripts_take_no_memory() {
    let server = start("2");
    let mut clients = [connect(&server), connect(&server)];
    let figure = |client: &mut Connection, name: &str| {
        let info = call(client, &["INFO", "memory"]);
        let (_, rest) = info.split_once(&format!("{name}:")).expect("a figure");
        rest.split("\\r").next().and_then(|number| number.parse::<usize>().ok()).expect("a number")
    };
    let text = "x".repeat(4000);
    for round in 0..2000 {
        let script = format!("local a = {round} return a -- {text}");
        assert_eq!(call(&mut clients[round % 2], &["EVAL", &script, "0"]), format!(":{round}\\r\\n"));
    }
    // 500 of them are still known, and a few more to the workers.
    let used = figure(&mut clients[0], "used_memory");
    let before = figure(&mut clients[0], "used_memory_vm_eval");
    call(&mut clients[0], &["SCRIPT", "FLUSH"]);
    while used - figure(&mut clients[0], "used_memory") < 500 * text.len() {
        std::thread::yield_now();
    }
    assert!(figure(&mut clients[0], "used_memory_vm_eval") < before && before < 4_000_000, "{before}");
    assert!(used < 40_000_000, "{used}");
}

#[test]
fn a_flush_resets_what_scripts_have_set() {
    let server = start("3");
    let mut clients: Vec<Connection> = (0..3).map(|_| connect(&server)).collect();
    let set = "cjson.encode_number_precision(3) cjson.decode_max_depth(1)";
    let look = "return cjson.encode(0.123456789) .. cjson.encode(cjson.decode('[[1]]'))";
    let library = format!(
        "#!lua name=lib\nredis.register_function('set', function() {set} end)\n\
         redis.register_function('look', function() {look} end)"
    );
    call(&mut clients[0], &["FUNCTION", "LOAD", &library]);
    for client in &mut clients {
        call(client, &["EVAL", set, "0"]);
        call(client, &["FCALL", "set", "0"]);
        for request in [["EVAL", look, "0"], ["FCALL", "look", "0"]] {
            assert!(call(client, &request).contains("too many nested"), "{request:?}");
        }
    }
    // One that is known to the server is compiled anew as well.
    assert_eq!(call(&mut clients[0], &["SCRIPT", "FLUSH"]), "+OK\\r\\n");
    let sha = call(&mut clients[0], &["SCRIPT", "LOAD", look]);
    let (_, sha) = sha.trim_end_matches("\\r\\n").rsplit_once("\\n").expect("a digest");
    let fresh = "$16\\r\\n0.123456789[[1]]\\r\\n";
    assert_eq!(call(&mut clients[1], &["EVALSHA", sha, "0"]), fresh);
    for client in &mut clients {
        assert_eq!(call(client, &["EVAL", look, "0"]), fresh);
        assert!(call(client, &["FCALL", "look", "0"]).contains("too many nested"));
    }
    assert_eq!(call(&mut clients[0], &["FUNCTION", "FLUSH"]), "+OK\\r\\n");
    call(&mut clients[0], &["FUNCTION", "LOAD", &library]);
    for client in &mut clients {
        assert_eq!(call(client, &["FCALL", "look", "0"]), fresh);
    }
}

#[test]
fn scripts_that_make_room_are_counted() {
    let server = start("2");
    let mut client = connect(&server);
    let evicted = |client: &mut Connection, count: usize| {
        assert!(call(client, &["INFO", "stats"]).contains(&format!("\\r\\nevicted_scripts:{count}\\r\\n")));
    };
    for number in 0..510 {
        call(&mut client, &["EVAL", &format!("return {number}"), "0"]);
    }
    assert!(call(&mut client, &["INFO", "memory"]).contains("\\r\\nnumber_of_cached_scripts:500\\r\\n"));
    evicted(&mut client, 10);
    call(&mut client, &["SCRIPT", "FLUSH"]);
    evicted(&mut client, 10);
    call(&mut client, &["CONFIG", "RESETSTAT"]);
    evicted(&mut client, 0);
}

#[test]
fn a_script_that_strays_later_than_expected_is_still_whole() {
    let server = start("4");
    let mut client = connect(&server);
    let script = "redis.call('incr', KEYS[1]) if ARGV[1] ~= '' then redis.call('incr', ARGV[1]) end \
                  return redis.call('get', KEYS[1])";
    // It is known to keep to its keys, then it does not, after it has written.
    for round in 1..=3 {
        assert_eq!(call(&mut client, &["EVAL", script, "1", "own", ""]), format!("$1\\r\\n{round}\\r\\n"));
    }
    assert_eq!(call(&mut client, &["EVAL", script, "1", "own", "other"]), "$1\\r\\n4\\r\\n");
    assert_eq!(call(&mut client, &["MGET", "own", "other"]), "*2\\r\\n$1\\r\\n4\\r\\n$1\\r\\n1\\r\\n");
    let reads_first = "local x = redis.call('get', ARGV[1]) redis.call('set', KEYS[1], 'y') return x";
    assert_eq!(call(&mut client, &["EVAL", reads_first, "1", "k", "k"]), "$-1\\r\\n");
    assert_eq!(call(&mut client, &["EVAL", reads_first, "1", "k", "own"]), "$1\\r\\n4\\r\\n");
}

#[test]
fn scripts_are_atomic_whatever_they_touch() {
    const CLIENTS: usize = 8;
    const ROUNDS: usize = 300;
    const ACCOUNTS: usize = 10;
    let server = start("4");
    let mut client = connect(&server);
    (0..ACCOUNTS).for_each(|number| drop(call(&mut client, &["SET", &format!("a{number}"), "1000"])));
    // Declared, undeclared, and declared with one that is not: which is touched only now and then, after a write.
    let declared = "redis.call('decrby', KEYS[1], 1) redis.call('incrby', KEYS[2], 1)";
    let undeclared = "redis.call('decrby', ARGV[1], 2) redis.call('incrby', ARGV[2], 2)";
    let sometimes = "redis.call('decrby', KEYS[1], 3) \
                     if ARGV[1] == 'x' then redis.call('incrby', ARGV[2], 3) else redis.call('incrby', KEYS[1], 3) end";
    let sum = "local sum = 0 for i = 0, 9 do sum = sum + redis.call('get', 'a' .. i) end return sum";
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let mut client = connect(&server);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let from = format!("a{}", (round * 7 + number) % ACCOUNTS);
                    let to = format!("a{}", (round * 3 + number * 5 + 1) % ACCOUNTS);
                    let reply = match (round + number) % 6 {
                        0 => call(&mut client, &["EVAL", declared, "2", &from, &to]),
                        1 => call(&mut client, &["EVAL", undeclared, "0", &from, &to]),
                        // Another text each time, so that it is not known yet that it strays.
                        2 => {
                            let script = format!("{sometimes} -- {}", round / 50);
                            let stray = if round % 50 > 40 { "x" } else { "" };
                            call(&mut client, &["EVAL", &script, "1", &from, stray, &to])
                        }
                        3 => {
                            call(&mut client, &["MULTI"]);
                            call(&mut client, &["EVAL", undeclared, "0", &from, &to]);
                            call(&mut client, &["INCR", "transactions"]);
                            call(&mut client, &["EXEC"])
                        }
                        4 => call(&mut client, &["MGET", &from, &to, "a0", "a9"]),
                        _ => {
                            let reply = call(&mut client, &["EVAL", sum, "0"]);
                            assert_eq!(reply, format!(":{}\\r\\n", 1000 * ACCOUNTS));
                            reply
                        }
                    };
                    assert!(!reply.starts_with('-') || reply.contains("try again"), "{reply}");
                    // A script that was refused half way has taken and not given: the one thing that is told.
                    assert!(!reply.contains("try again"), "two strayed at the same moment: {reply}");
                }
            });
        }
    });
    assert_eq!(call(&mut client, &["EVAL", sum, "0"]), format!(":{}\\r\\n", 1000 * ACCOUNTS));
}

#[test]
fn a_slow_script_is_told_of_and_can_be_ended() {
    // With one worker, the script keeps all clients from it.
    for workers in ["1", "3"] {
        let server = start(workers);
        let mut others: Vec<Connection> = (0..4).map(|_| connect(&server)).collect();
        others.iter_mut().for_each(|client| drop(call(client, &["PING"])));
        let mut slow = connect(&server);
        slow.send(&["EVAL", "while true do redis.call('get', 'k') end", "0"]).expect("sent");
        let busy = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\\r\\n";
        for client in &mut others {
            // Before it is slow, an answer may come as ever.
            while call(client, &["GET", "k"]) != busy {
                thread::yield_now();
            }
        }
        assert_eq!(call(&mut others[0], &["FUNCTION", "KILL"]), busy);
        assert_eq!(call(&mut others[1], &["SCRIPT", "KILL"]), "+OK\\r\\n");
        let killed = escape(&slow.read().expect("a reply").0);
        assert!(
            killed.starts_with("-ERR Error running script") || killed.contains("Script killed by user"),
            "{killed}"
        );
        others.iter_mut().for_each(|client| assert_eq!(call(client, &["GET", "k"]), "$-1\\r\\n"));
        assert_eq!(call(&mut slow, &["SCRIPT", "KILL"]), "-NOTBUSY No scripts in execution right now.\\r\\n");
    }
}

#[test]
fn a_client_that_comes_while_a_script_holds_the_only_worker_can_end_it() {
    let busy = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\\r\\n";
    let wait_until_busy = |client: &mut Connection| {
        while call(client, &["GET", "k"]) != busy {
            thread::yield_now();
        }
    };
    for password in [None, Some("secret")] {
        let server = start("1");
        let mut slow = connect(&server);
        if let Some(password) = password {
            call(&mut slow, &["CONFIG", "SET", "requirepass", password]);
        }
        let connect = || {
            let mut client = connect(&server);
            password.inspect(|password| assert_eq!(call(&mut client, &["AUTH", password]), "+OK\\r\\n"));
            client
        };
        let (mut slow, mut before) = (connect(), connect());
        slow.send(&["EVAL", "while true do end", "0"]).expect("sent");
        if password.is_some() {
            wait_until_busy(&mut before);
        }
        // Without a password, they may come before anybody knows that the script takes long.
        let mut others = [connect(), connect(), connect()];
        for client in &mut others {
            wait_until_busy(client);
        }
        assert_eq!(call(&mut others[0], &["SCRIPT", "KILL"]), "+OK\\r\\n");
        assert!(escape(&slow.read().expect("a reply").0).contains("Script killed by user"));
        // All are served from now on, and so are those to come.
        for (number, mut client) in others.into_iter().chain([slow, before, connect()]).enumerate() {
            assert_eq!(call(&mut client, &["INCR", "k"]), format!(":{}\\r\\n", number + 1));
        }
    }
}

#[test]
fn who_waits_for_what_a_slow_script_holds_is_told() {
    let server = start("2");
    let (mut slow, mut other, mut third) = (connect(&server), connect(&server), connect(&server));
    call(&mut other, &["WATCH", "w"]);
    call(&mut third, &["PING"]);
    slow.send(&["EVAL", "redis.call('set', 'k', 'v') local n = 0 while n < 4e7 do n = n + 1 end return 1", "0"])
        .expect("sent");
    // Sent at once, so most likely before anybody knows that the script takes long.
    other.send(&["EVAL", "return redis.call('get', 'k')", "0"]).expect("sent");
    other.send(&["MULTI"]).expect("sent");
    other.send(&["EXEC"]).expect("sent");
    while !call(&mut third, &["GET", "w"]).starts_with("-BUSY ") {
        thread::yield_now();
    }
    let before_or_told =
        |reply: &str| reply.starts_with("-BUSY ") || reply == "$1\\r\\nv\\r\\n" || reply == "$-1\\r\\n";
    let reply = escape(&other.read().expect("a reply").0);
    assert!(before_or_told(&reply), "{reply}");
    assert_eq!(escape(&other.read().expect("a reply").0), "+OK\\r\\n");
    let reply = escape(&other.read().expect("a reply").0);
    assert!(reply.starts_with("-EXECABORT ") || reply == "*0\\r\\n", "{reply}");
    assert_eq!(escape(&slow.read().expect("a reply").0), ":1\\r\\n");
    assert_eq!(call(&mut other, &["GET", "k"]), "$1\\r\\nv\\r\\n");
}

#[test]
fn a_script_that_has_written_can_only_be_waited_for() {
    let server = start("2");
    let (mut slow, mut other) = (connect(&server), connect(&server));
    call(&mut other, &["PING"]);
    let script = "local n = 0 redis.call('set', 'k', 'v') while n < 3e7 do n = n + 1 end return 1";
    slow.send(&["EVAL", script, "0"]).expect("sent");
    let unkillable = |reply: &str| reply.starts_with("-UNKILLABLE ");
    loop {
        let reply = call(&mut other, &["SCRIPT", "KILL"]);
        if unkillable(&reply) {
            break;
        }
        assert!(reply.starts_with("-NOTBUSY "), "{reply}");
        thread::yield_now();
    }
    assert_eq!(escape(&slow.read().expect("a reply").0), ":1\\r\\n");
    assert_eq!(call(&mut other, &["GET", "k"]), "$1\\r\\nv\\r\\n");
}

#[test]
fn functions_are_known_to_all_workers() {
    let server = start("4");
    let mut clients: Vec<Connection> = (0..8).map(|_| connect(&server)).collect();
    let code = |reply: &str| {
        format!("#!lua name=lib\nredis.register_function('f', function(keys, args) return '{reply}' .. #keys end)")
    };
    assert_eq!(call(&mut clients[0], &["FUNCTION", "LOAD", &code("one")]), "$3\\r\\nlib\\r\\n");
    for client in &mut clients {
        assert_eq!(call(client, &["FCALL", "f", "1", "k"]), "$4\\r\\none1\\r\\n");
    }
    assert_eq!(call(&mut clients[1], &["FUNCTION", "LOAD", "REPLACE", &code("two")]), "$3\\r\\nlib\\r\\n");
    for client in &mut clients {
        assert_eq!(call(client, &["FCALL", "F", "0"]), "$4\\r\\ntwo0\\r\\n");
    }
    assert_eq!(call(&mut clients[2], &["FUNCTION", "DELETE", "lib"]), "+OK\\r\\n");
    for client in &mut clients {
        assert_eq!(call(client, &["FCALL", "f", "0"]), "-ERR Function not found\\r\\n");
    }
    call(&mut clients[3], &["SCRIPT", "LOAD", "return 7"]);
    let reply = call(&mut clients[0], &["EVAL", "return redis.sha1hex('return 7')", "0"]);
    let sha = reply.split("\\r\\n").nth(1).expect("a digest");
    for client in &mut clients {
        assert_eq!(call(client, &["EVALSHA", sha, "0"]), ":7\\r\\n");
    }
    assert_eq!(call(&mut clients[4], &["SCRIPT", "FLUSH"]), "+OK\\r\\n");
    for client in &mut clients {
        assert!(call(client, &["EVALSHA", sha, "0"]).starts_with("-NOSCRIPT "));
    }
}

#[test]
fn users_may_no_more_in_scripts_than_without() {
    let server = start("2");
    let mut client = connect(&server);
    call(&mut client, &["ACL", "SETUSER", "u", "on", "nopass", "+@all", "-set", "~a*"]);
    call(&mut client, &["AUTH", "u", "x"]);
    let denied = call(&mut client, &["EVAL", "return redis.call('set', 'a', '1')", "0"]);
    assert!(denied.starts_with("-ERR ACL failure in script: "), "{denied}");
    let denied = call(&mut client, &["EVAL", "return redis.call('get', 'b')", "0"]);
    assert!(denied.starts_with("-ERR ACL failure in script: "), "{denied}");
    assert_eq!(call(&mut client, &["EVAL", "return redis.call('incr', 'a')", "0"]), ":1\\r\\n");
    assert_eq!(
        call(&mut client, &["EVAL", "return redis.pcall('get', 'b')", "0"]),
        "-ERR ACL failure in script: No permissions to access a key\\r\\n"
    );
    // A command that lacks arguments is one that he may call, if it is one of his.
    call(&mut connect(&server), &["ACL", "SETUSER", "u", "-config", "+config|get", "resetchannels", "&c"]);
    for (words, allowed) in [
        ("'set', 'a', '1'", false),
        ("'set'", false),
        ("'get'", true),
        ("'get', 'b'", false),
        ("'get', 'a', 'b', 'c'", true),
        ("'config', 'get'", true),
        ("'config', 'set'", false),
        ("'config'", false),
        ("'object', 'encoding'", true),
        ("'object', 'encoding', 'b'", false),
        ("'publish'", true),
        ("'publish', 'c'", true),
        ("'publish', 'd'", false),
        ("'zunionstore', 'a', '9', 'b'", true),
    ] {
        let reply = call(&mut client, &["EVAL", &format!("return redis.acl_check_cmd({words})"), "0"]);
        assert_eq!(reply, if allowed { ":1\\r\\n" } else { "$-1\\r\\n" }, "{words}");
    }
    let unknown = call(&mut client, &["EVAL", "return redis.acl_check_cmd('config', 'nosuch')", "0"]);
    assert!(unknown.starts_with("-ERR Invalid command passed to redis.acl_check_cmd() script: "), "{unknown}");
}

#[test]
fn monitors_see_the_script_and_then_what_it_did() {
    let server = start("2");
    let (mut client, mut monitor) = (connect(&server), connect(&server));
    call(&mut monitor, &["MONITOR"]);
    call(&mut client, &["EVAL", "redis.call('select', 3) return redis.call('set', KEYS[1], 'v')", "1", "k"]);
    let lines: Vec<String> = (0..3).map(|_| escape(&monitor.read().expect("a line").0)).collect();
    assert!(lines[0].contains("EVAL"), "{lines:?}");
    assert!(lines[1].contains(" lua] ") && lines[2].contains("[3 lua] "), "{lines:?}");
    assert_eq!(call(&mut client, &["EXISTS", "k"]), ":0\\r\\n");
}

#[test]
fn a_pause_of_writes_lets_scripts_through_that_write_nothing() {
    let server = start("2");
    let (mut client, mut reader) = (connect(&server), connect(&server));
    let harmless = "#!lua flags=no-writes\nreturn 1";
    let sha = call(&mut client, &["SCRIPT", "LOAD", harmless]);
    let sha = sha.split("\\r\\n").nth(1).expect("a digest");
    let library = "#!lua name=lib\nredis.register_function{function_name='f', callback=function() return 1 end, \
                   flags={'no-writes'}} redis.register_function('g', function() return 1 end)";
    call(&mut client, &["FUNCTION", "LOAD", library]);
    assert_eq!(call(&mut client, &["CLIENT", "PAUSE", "100000", "WRITE"]), "+OK\\r\\n");
    assert_eq!(call(&mut reader, &["EVAL", harmless, "0"]), ":1\\r\\n");
    assert_eq!(call(&mut reader, &["EVALSHA", sha, "0"]), ":1\\r\\n");
    assert_eq!(call(&mut reader, &["EVAL_RO", "return 1", "0"]), ":1\\r\\n");
    assert_eq!(call(&mut reader, &["FCALL", "F", "0"]), ":1\\r\\n");
    call(&mut reader, &["MULTI"]);
    call(&mut reader, &["EVAL", harmless, "0"]);
    assert_eq!(call(&mut reader, &["EXEC"]), "*1\\r\\n:1\\r\\n");
    let held: [&[&str]; 4] =
        [&["EVAL", "return 1", "0"], &["EVAL", "#!lua\nreturn 1", "0"], &["FCALL", "g", "0"], &["PUBLISH", "c", "m"]];
    let mut writers: Vec<Connection> = held.iter().map(|_| connect(&server)).collect();
    for (writer, request) in writers.iter_mut().zip(held) {
        writer.send(request).expect("sent");
    }
    while !call(&mut client, &["INFO", "clients"]).contains("blocked_clients:4\\r") {
        thread::yield_now();
    }
    assert_eq!(call(&mut client, &["CLIENT", "UNPAUSE"]), "+OK\\r\\n");
    let replies: Vec<String> = writers.iter_mut().map(|writer| escape(&writer.read().expect("a reply").0)).collect();
    assert_eq!(replies, [":1\\r\\n", ":1\\r\\n", ":1\\r\\n", ":0\\r\\n"]);
}
