//! Scripts that mean harm, through the socket: each gets its error, and the server and its other clients go on. What they
//! can do within the virtual machine is tested in the scripting crate.

use std::thread;

use harness::{Connection, Server, escape, server_under_test};

fn start() -> Server {
    let args = ["--io-threads", "2", "--busy-reply-threshold", "30"];
    Server::start(server_under_test(env!("CARGO_BIN_EXE_server-under-test")), &args).expect("the server starts")
}

fn connect(server: &Server) -> Connection {
    server.connect().expect("a connection")
}

fn call<A: AsRef<[u8]>>(connection: &mut Connection, words: &[A]) -> String {
    escape(&connection.call(words).expect("a reply").0)
}

/// Has a request that never ends ended by somebody else; its reply.
#[track_caller]
fn end(slow: &mut Connection, other: &mut Connection, request: &[&str], container: &str) -> String {
    slow.send(request).expect("sent");
    while !call(other, &["GET", "k"]).starts_with("-BUSY ") {
        thread::yield_now();
    }
    assert_eq!(call(other, &[container, "KILL"]), "+OK\\r\\n", "{request:?}");
    let reply = escape(&slow.read().expect("a reply").0);
    assert_eq!(call(other, &["GET", "k"]), "$1\\r\\nv\\r\\n", "{request:?}");
    assert_eq!(call(slow, &["EVAL", "return redis.call('get', KEYS[1])", "1", "k"]), "$1\\r\\nv\\r\\n", "{request:?}");
    reply
}

/// Loops without an end, some of which try to survive.
const ENDLESS: [&str; 18] = [
    "while true do end",
    "repeat until false",
    "while true do redis.call('get', 'k') end",
    "while true do redis.pcall('nosuch') end",
    "while true do pcall(redis.call, 'nosuch') end",
    "while true do pcall(function() while true do end end) end",
    "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "local function again() return pcall(again) or again() end while true do again() end",
    "while true do coroutine.wrap(function() while true do end end)() end",
    "while true do coroutine.resume(coroutine.create(function() while true do redis.call('get', 'k') end end)) end",
    "local f = coroutine.wrap(function() while true do coroutine.yield() end end) while true do f() end",
    "while true do string.gsub('aaa', 'a', function() while true do end end) end",
    "return string.find(('a'):rep(50), ('a?'):rep(50) .. 'b')",
    "return setmetatable({}, {__index = function() while true do end end}).x",
    "return tostring(setmetatable({}, {__tostring = function() while true do end end}))",
    "while true do load(function() return ' ' end) end",
    "table.sort({3, 1, 2}, function() while true do end end)",
    "while true do pcall(error, setmetatable({}, {__index = function() while true do end end})) end",
];

#[test]
fn every_loop_can_be_ended() {
    let server = start();
    let (mut slow, mut other) = (connect(&server), connect(&server));
    call(&mut other, &["SET", "k", "v"]);
    for script in ENDLESS {
        let reply = end(&mut slow, &mut other, &["EVAL", script, "0"], "SCRIPT");
        assert!(reply.contains("Script killed by user with SCRIPT KILL"), "{script}: {reply}");
    }
    let library = "#!lua name=lib\nredis.register_function('f', function() while true do pcall(error) end end)";
    call(&mut other, &["FUNCTION", "LOAD", library]);
    let reply = end(&mut slow, &mut other, &["FCALL", "f", "0"], "FUNCTION");
    assert!(reply.contains("Script killed by user with SCRIPT KILL"), "{reply}");
    let endless = "#!lua name=endless\nwhile true do end";
    assert_eq!(
        call(&mut slow, &["FUNCTION", "LOAD", endless]),
        "-ERR Error registering functions: ERR FUNCTION LOAD timeout\\r\\n"
    );
    assert_eq!(call(&mut slow, &["FUNCTION", "DELETE", "endless"]), "-ERR Library not found\\r\\n");
}

/// Calls that take long, each in a single instruction.
const LONG_CALLS: [&str; 10] = [
    "return ('a'):rep(1e5):find('.-.-.-.-b')",
    "local s = ('a'):rep(1e5) while true do s:gsub('a*', ('%0'):rep(1e3)) end",
    "local s = ('x'):rep(1e7) while true do s:upper() end",
    "local s = ('x'):rep(1e7) while true do redis.sha1hex(s) end",
    "local t = {} for i = 1, 1e6 do t[i] = i end while true do table.insert(t, 1, 1) end",
    "local t = {} for i = 1, 1e5 do t[i] = {} end while true do collectgarbage() end",
    "local t = {} for i = 1, 1e5 do t[i] = i % 7 end while true do table.sort(t) end",
    "local t = {} for i = 1, 1e4 do t[i] = i end local u = {} for i = 1, 1e4 do u[i] = t end return cjson.encode(u)",
    "local s = '[' .. ('1,'):rep(1e6) .. '1]' while true do cjson.decode(s) end",
    "local s = ('a = 1 '):rep(1e6) while true do loadstring(s) end",
];

#[test]
fn every_long_call_can_be_ended() {
    let server = start();
    let (mut slow, mut other) = (connect(&server), connect(&server));
    call(&mut other, &["SET", "k", "v"]);
    for script in LONG_CALLS {
        let reply = end(&mut slow, &mut other, &["EVAL", script, "0"], "SCRIPT");
        assert!(reply.contains("Script killed by user with SCRIPT KILL"), "{script}: {reply}");
    }
}

#[test]
fn memory_is_limited_and_given_back() {
    let server = start();
    let mut client = connect(&server);
    let held = |client: &mut Connection| {
        let info = call(client, &["INFO", "memory"]);
        let (_, rest) = info.split_once("used_memory_vm_eval:").expect("the figure");
        rest.split("\\r").next().and_then(|number| number.parse::<u64>().ok()).expect("a number")
    };
    // The longest string that can be stored can be made, too.
    assert_eq!(call(&mut client, &["EVAL", "return #string.rep('x', 2^29)", "0"]), ":536870912\\r\\n");
    assert!(held(&mut client) < 4 << 20);
    let hundred = "local s = string.rep('x', 1e8) local t = {} for i = 1, 100 do t[i] = s end";
    for rest in ["return #table.concat(t)", "return redis.call('rpush', 'l', unpack(t))"] {
        let reply = call(&mut client, &["EVAL", &format!("{hundred} {rest}"), "0"]);
        assert!(reply.starts_with("-ERR ") && reply.contains("not enough memory"), "{rest}: {reply:.200}");
        assert!(held(&mut client) < 4 << 20, "{rest}");
        assert_eq!(call(&mut client, &["EVAL", "return redis.call('exists', 'l')", "0"]), ":0\\r\\n", "{rest}");
    }
}

#[test]
fn scripts_cannot_call_what_is_not_for_them() {
    let server = start();
    let (mut client, mut other) = (connect(&server), connect(&server));
    call(&mut other, &["SET", "k", "v"]);
    for command in [
        "'eval', 'return 1', 0",
        "'eval_ro', 'return 1', 0",
        "'evalsha', 'x', 0",
        "'fcall', 'x', 0",
        "'fcall_ro', 'x', 0",
        "'script', 'flush'",
        "'script', 'load', 'return 1'",
        "'script', 'kill'",
        "'function', 'flush'",
        "'function', 'load', 'x'",
        "'multi'",
        "'exec'",
        "'discard'",
        "'watch', 'k'",
        "'unwatch'",
        "'subscribe', 'c'",
        "'psubscribe', 'c'",
        "'ssubscribe', 'c'",
        "'unsubscribe'",
        "'monitor'",
        "'auth', 'x'",
        "'hello', '3'",
        "'client', 'kill', 'id', '1'",
        "'client', 'list'",
        "'config', 'set', 'maxmemory', '1'",
        "'debug', 'sleep', '0'",
        "'shutdown', 'nosave'",
        "'acl', 'setuser', 'x'",
        "'quit'",
        "'reset'",
    ] {
        let expected = "-ERR This Redis command is not allowed from script script: ";
        let reply = call(&mut client, &["EVAL", &format!("return redis.call({command})"), "0"]);
        assert!(reply.starts_with(expected), "{command}: {reply}");
        let caught = format!("local e = redis.pcall({command}) return e.err");
        let text = "$49\\r\\nERR This Redis command is not allowed from script\\r\\n";
        assert_eq!(call(&mut client, &["EVAL", &caught, "0"]), text, "{command}");
        assert_eq!(call(&mut other, &["GET", "k"]), "$1\\r\\nv\\r\\n", "{command}");
    }
    for (command, expected) in [
        ("'nosuch'", "-ERR Unknown Redis command called from script script: "),
        ("'get'", "-ERR Wrong number of args calling Redis command from script script: "),
        ("", "-ERR Please specify at least one argument for this redis lib call script: "),
        ("{}", "-ERR Lua redis lib command arguments must be strings or integers script: "),
        ("'get', nil", "-ERR Lua redis lib command arguments must be strings or integers script: "),
        ("'get', print", "-ERR user_script:1: Script attempted to access nonexistent global variable 'print' script: "),
        ("'lpush', 'k', 'x'", "-WRONGTYPE Operation against a key holding the wrong kind of value script: "),
    ] {
        let reply = call(&mut client, &["EVAL", &format!("return redis.call({command})"), "0"]);
        assert!(reply.starts_with(expected), "{command}: {reply}");
    }
}

#[test]
fn blocking_commands_do_not_block_in_scripts() {
    let server = start();
    let mut client = connect(&server);
    for command in [
        "'blpop', 'l', 0",
        "'brpop', 'l', 0",
        "'blmove', 'l', 'm', 'left', 'left', 0",
        "'brpoplpush', 'l', 'm', 0",
        "'blmpop', 0, 1, 'l', 'left'",
        "'bzpopmin', 'z', 0",
        "'bzpopmax', 'z', 0",
        "'bzmpop', 0, 1, 'z', 'min'",
        "'xread', 'block', 0, 'streams', 's', '$'",
    ] {
        let script = format!("local r = redis.call({command}) return {{type(r), tostring(r)}}");
        let nothing = "*2\\r\\n$7\\r\\nboolean\\r\\n$5\\r\\nfalse\\r\\n";
        assert_eq!(call(&mut client, &["EVAL", &script, "0"]), nothing, "{command}");
    }
}

#[test]
fn what_is_too_much_is_an_error_and_leaves_nothing_behind() {
    let server = start();
    let (mut client, mut other) = (connect(&server), connect(&server));
    for script in [
        "return string.format('%1000d', 1)",
        "local function f() return f() + 1 end return f()",
        "local function f() return string.gsub('a', 'a', f) end return f()",
        "local function f() return coroutine.wrap(f)() end return f()",
        "local t = {} t.t = t return cjson.encode(t)",
        "return cjson.decode(('['):rep(2000) .. (']'):rep(2000))",
        "return cmsgpack.unpack('\\221\\255\\255\\255\\255')",
        "return string.find(('a'):rep(3e5), ('(a'):rep(3e5))",
        "return loadstring(string.dump(function() return 1 end))()",
        "return unpack({}, 1, 1e8)",
        "return load(function() return '\\27Lua' end)()",
        "setfenv(2, {})()",
        "getmetatable('').__index = nil",
        "redis.call = nil",
        "error(setmetatable({}, {__index = function() error('again') end}))",
        "error()",
        "error({})",
        "error(function() end)",
        "error({err = {}})",
        "error({err = 'two\\r\\nlines'})",
        "redis.call('set', 'k', 'v') error({err = 1})",
    ] {
        let reply = call(&mut client, &["EVAL", script, "0"]);
        assert!(reply.starts_with('-') && reply.matches("\\r\\n").count() == 1, "{script}: {reply}");
        assert_eq!(call(&mut other, &["PING"]), "+PONG\\r\\n", "{script}");
        assert_eq!(call(&mut client, &["EVAL", "return ('x'):rep(2) .. #KEYS", "0"]), "$3\\r\\nxx0\\r\\n", "{script}");
    }
    // What it had done stays done, as in Redis.
    assert_eq!(call(&mut other, &["GET", "k"]), "$1\\r\\nv\\r\\n");
}
