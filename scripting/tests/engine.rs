//! What the server relies on, beyond what scripts see.

mod support;

use protocol::{Reply, Resp};
use scripting::{End, Engine, Flags, Functions, LogLevel, Replication, Sha};
use support::{Mock, eval_on, options};

#[test]
fn scripts_are_compiled_once_and_forgotten_when_told() {
    let mut engine = Engine::new(&options());
    let sha = engine.load(b"return 1").unwrap();
    assert_eq!(sha, Sha::of(b"return 1"));
    assert_eq!(engine.load(b"return 1"), Ok(sha));
    assert_eq!(engine.len(), 1);
    assert_eq!(engine.flags(&sha), Some(None));
    let flagged = engine.load(b"#!lua flags=no-writes\nreturn 1").unwrap();
    assert_eq!(engine.flags(&flagged), Some(Some(Flags::NO_WRITES)));
    assert_eq!(
        engine.load(b"return (").unwrap_err(),
        b"Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'"
    );
    assert!(engine.remove(&sha) && !engine.remove(&sha) && !engine.contains(&sha));
    let mut reply = Reply::new(Resp::V2);
    assert_eq!(engine.run(&sha, [].into_iter(), [].into_iter(), &mut Mock::default(), &mut reply), None);
    assert!(reply.is_empty());
    assert!(engine.vm_memory() > 10_000);
}

/// What scripts do to `KEYS` and `ARGV` is gone in the next run, though the tables may be the same.
#[test]
fn scripts_find_their_keys_and_arguments_whatever_was_done_to_the_tables() {
    const LOOK: &str = "local seen = {}
        for _, list in ipairs({KEYS, ARGV}) do
            seen[#seen + 1] = #list .. tostring(getmetatable(list)) .. ':'
            for k, v in pairs(list) do seen[#seen + 1] = tostring(k) .. '=' .. tostring(v) end
        end
        return table.concat(seen, ' ')";
    let mut engine = Engine::new(&options());
    let mut run = |script: &str, keys: &[&str], args: &[&str]| {
        let mut reply = Reply::new(Resp::V2);
        let sha = engine.load(script.as_bytes()).unwrap();
        let (keys, args) = (keys.iter().map(|key| key.as_bytes()), args.iter().map(|arg| arg.as_bytes()));
        engine.run(&sha, keys, args, &mut Mock::default(), &mut reply);
        String::from_utf8_lossy(&reply.to_vec()).lines().last().unwrap_or_default().to_string()
    };
    for change in [
        "KEYS[1] = 'x'",
        "KEYS[1] = nil",
        "KEYS[2] = nil ARGV[1] = nil",
        "KEYS[3] = 'x'",
        "KEYS[3] = 'x' KEYS[3] = nil",
        "KEYS.x = 1 ARGV.y = 2",
        "KEYS[1] = nil KEYS.x = 1",
        "KEYS[1] = nil KEYS[2] = nil KEYS.x = 1 KEYS[2] = 'b' KEYS[1] = 'a'",
        "KEYS[1] = nil KEYS[2] = nil for i = 1, 100 do KEYS['x' .. i] = i end for i = 2, 100 do KEYS['x' .. i] = nil end KEYS[2] = 'b' KEYS[1] = 'a'",
        "KEYS[1] = nil KEYS['1'] = 'x'",
        "KEYS[2] = nil KEYS[' 2'] = {1, 2}",
        "KEYS[1] = nil KEYS[2] = nil KEYS['1'] = 'x' KEYS['2'] = 'y' ARGV[1] = nil ARGV['1'] = 'z'",
        "KEYS[0] = 1 KEYS[-1] = 2 KEYS[1.5] = 3",
        "KEYS[1] = nil KEYS[1.5] = 3",
        "setmetatable(KEYS, {__index = function() return 1 end}) setmetatable(ARGV, {__newindex = error})",
        "table.insert(KEYS, 'x') table.remove(ARGV, 1) table.insert(ARGV, 'z')",
        "table.sort(KEYS, function(a, b) return a > b end)",
        "for i = 1, 50 do KEYS[i] = i ARGV[i] = i end",
    ] {
        let (two, one) = (["a", "b"], ["c"]);
        assert_eq!(run(LOOK, &two, &one), "2nil: 1=a 2=b 1nil: 1=c");
        run(change, &two, &one);
        assert_eq!(run(LOOK, &two, &one), "2nil: 1=a 2=b 1nil: 1=c", "{change}");
        run(change, &one, &two);
        assert_eq!(run(LOOK, &one, &two), "1nil: 1=c 2nil: 1=a 2=b", "{change}");
        run(change, &[], &[]);
        assert_eq!(run(LOOK, &[], &[]), "0nil: 0nil:", "{change}");
    }
}

#[test]
fn commands_are_called_with_bytes_and_answer_in_the_chosen_version() {
    let mut engine = Engine::new(&options());
    let mut host = Mock::default();
    let script = b"redis.call('set', KEYS[1], '\\0\\255') return redis.call('get', KEYS[1])";
    assert_eq!(eval_on(&mut engine, &mut host, Resp::V2, script).1, b"$2\r\n\0\xff\r\n");
    assert_eq!(host.calls[0], [&b"set"[..], b"key", b"\0\xff"]);
    assert_eq!(eval_on(&mut engine, &mut host, Resp::V2, b"return redis.call('get', 'none')").1, b"$-1\r\n");
    assert_eq!(eval_on(&mut engine, &mut host, Resp::V3, b"return redis.call('get', 'none')").1, b"_\r\n");
    let script = b"redis.setresp(3) return tostring(redis.call('get', 'none'))";
    assert_eq!(eval_on(&mut engine, &mut host, Resp::V2, script).1, b"$3\r\nnil\r\n");
    // The choice does not outlive the script.
    let script = b"return tostring(redis.call('get', 'none'))";
    assert_eq!(eval_on(&mut engine, &mut host, Resp::V2, script).1, b"$5\r\nfalse\r\n");
}

#[test]
fn replies_become_values() {
    let mut engine = Engine::new(&options());
    for (reply, expression, expected) in [
        (":-9223372036854775808\\r\\n", "string.format('%.0f', r)", "$20\r\n-9223372036854775808\r\n"),
        ("*3\\r\\n:1\\r\\n$-1\\r\\n*-1\\r\\n", "#r .. tostring(r[2]) .. tostring(r[3])", "$11\r\n3falsefalse\r\n"),
        ("+OK\\r\\n", "r.ok", "$2\r\nOK\r\n"),
        ("_\\r\\n", "r == nil", ":1\r\n"),
        ("#t\\r\\n", "r", ":1\r\n"),
        (",3.5\\r\\n", "r.double * 2", ":7\r\n"),
        (",-inf\\r\\n", "tostring(r.double)", "$4\r\n-inf\r\n"),
        ("(123\\r\\n", "r.big_number", "$3\r\n123\r\n"),
        ("=7\\r\\ntxt:abc\\r\\n", "r.verbatim_string.format .. r.verbatim_string.string", "$6\r\ntxtabc\r\n"),
        ("%2\\r\\n+a\\r\\n:1\\r\\n$1\\r\\nb\\r\\n~1\\r\\n:5\\r\\n", "tostring(r.map.b.set[5])", "$4\r\ntrue\r\n"),
        ("|1\\r\\n+a\\r\\n:1\\r\\n:7\\r\\n", "r", ":7\r\n"),
        (">1\\r\\n:7\\r\\n", "r[1]", ":7\r\n"),
        ("-CODE some text\\r\\n", "r.err", "$14\r\nCODE some text\r\n"),
        ("-CODE\\r\\n", "r.err", "$8\r\nERR CODE\r\n"),
    ] {
        let script = format!("local r = redis.pcall('raw', '{reply}') return {expression}");
        let (_, found) = eval_on(&mut engine, &mut Mock::default(), Resp::V2, script.as_bytes());
        assert_eq!(String::from_utf8(found).unwrap(), expected, "{reply}");
    }
}

#[test]
fn the_host_hears_of_errors_logs_and_replication() {
    let mut engine = Engine::new(&options());
    let mut host = Mock::default();
    let mut eval = |script: &str| eval_on(&mut engine, &mut host, Resp::V2, script.as_bytes()).1;
    eval("redis.log(redis.LOG_WARNING, 'a', 1, 2.5) redis.log(redis.LOG_DEBUG, 'b')");
    eval("redis.set_repl(redis.REPL_AOF)");
    assert_eq!(
        eval("return {redis.acl_check_cmd('get', 'x'), redis.acl_check_cmd('set', 'x')}"),
        b"*2\r\n:1\r\n$-1\r\n"
    );
    eval("return redis.error_reply('MY own')");
    eval("return redis.pcall('nope')");
    eval("return redis.call('nope')");
    eval("error('raised')");
    assert_eq!(host.log, [(Some(LogLevel::Warning), b"a 1 2.5".to_vec()), (Some(LogLevel::Debug), b"b".to_vec())]);
    assert_eq!(host.replication, Some(Replication { aof: true, replicas: false }));
    let errors: Vec<_> = host.errors.iter().map(|error| String::from_utf8_lossy(error).into_owned()).collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert_eq!(errors[0], "MY own");
    assert!(errors[1].starts_with("ERR user_script:1: raised script: "), "{errors:?}");
}

#[test]
fn random_numbers_go_on_from_script_to_script() {
    let mut engine = Engine::new(&options());
    let mut host = Mock::default();
    let mut eval = |script: &str| eval_on(&mut engine, &mut host, Resp::V2, script.as_bytes()).1;
    let first = eval("return tostring(math.random())");
    assert_ne!(first, eval("return tostring(math.random())"));
    let seeded = eval("math.randomseed(7) return math.random(1000000)");
    assert_eq!(seeded, eval("math.randomseed(7) return math.random(1000000)"));
}

fn call(functions: &mut Functions, name: &str) -> String {
    let mut reply = Reply::new(Resp::V2);
    let (keys, args) = ([&b"k"[..]], [&b"a"[..], b"b"]);
    let end = functions.call(name.as_bytes(), keys.into_iter(), args.into_iter(), &mut Mock::default(), &mut reply);
    match end {
        Some(End::Replied) => String::from_utf8(reply.to_vec()).unwrap(),
        other => format!("{other:?}"),
    }
}

fn load(functions: &mut Functions, code: &str, replace: bool) -> Result<String, String> {
    let result = functions.load(code.as_bytes(), replace, None, &mut Mock::default());
    result.map(|library| library.name.clone()).map_err(|error| String::from_utf8(error).unwrap())
}

#[test]
fn functions_are_registered_called_and_replaced() {
    let mut functions = Functions::new(&options());
    let code = "#!lua name=lib\nlocal shared = 0
        redis.register_function('Count', function(keys, args) shared = shared + 1 return shared end)
        redis.register_function{function_name='echo', callback=function(keys, args) return {keys, args} end,
            flags={'no-writes', 'ALLOW-STALE'}, description='says it again'}";
    assert_eq!(load(&mut functions, code, false), Ok("lib".to_string()));
    assert_eq!(call(&mut functions, "count"), ":1\r\n");
    assert_eq!(call(&mut functions, "COUNT"), ":2\r\n");
    assert_eq!(call(&mut functions, "echo"), "*2\r\n*1\r\n$1\r\nk\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    assert_eq!(call(&mut functions, "nope"), "None");
    let echo = functions.function(b"ECHO").unwrap();
    assert_eq!(echo.flags.names().collect::<Vec<_>>(), ["no-writes", "allow-stale"]);
    assert_eq!(echo.description.as_deref(), Some(&b"says it again"[..]));
    assert_eq!(functions.len(), 2);

    // What goes wrong changes nothing.
    let failing = "#!lua name=lib\nredis.register_function('other', function() end) redis.x = 1";
    assert!(load(&mut functions, failing, true).is_err());
    assert_eq!(load(&mut functions, code, false), Err("Library 'lib' already exists".to_string()));
    let clash = "#!lua name=lib2\nredis.register_function('fine', function() end) redis.register_function('ECHO', function() end)";
    assert_eq!(load(&mut functions, clash, false), Err("Function ECHO already exists".to_string()));
    assert_eq!(functions.libraries().len(), 1);
    assert_eq!(call(&mut functions, "count"), ":3\r\n");

    let next = "#!lua name=lib\nredis.register_function('count', function() return 'new' end)";
    assert_eq!(load(&mut functions, next, true), Ok("lib".to_string()));
    assert_eq!(call(&mut functions, "count"), "$3\r\nnew\r\n");
    assert_eq!(call(&mut functions, "echo"), "None");
    assert!(functions.delete("lib") && !functions.delete("lib") && functions.is_empty());
}

#[test]
fn functions_see_what_redis_lets_them_see() {
    let mut functions = Functions::new(&options());
    let mut reply = |body: &str| {
        let code = format!("#!lua name=lib\nredis.register_function('f', function(keys, args) {body} end)");
        load(&mut functions, &code, true).unwrap();
        call(&mut functions, "f")
    };
    assert_eq!(reply("error('boom')"), "-ERR user_function:2: boom script: f, on @user_function:2.\r\n");
    assert_eq!(
        reply("return x"),
        "-ERR user_function:2: Script attempted to access nonexistent global variable 'x' script: f, on @user_function:2.\r\n"
    );
    assert_eq!(
        reply("redis.register_function('q', function() end)"),
        "-ERR user_function:2: attempt to call field 'register_function' (a nil value) script: f, on @user_function:2.\r\n"
    );
    assert_eq!(
        reply("x = 1"),
        "-ERR user_function:2: Attempt to modify a readonly table script: f, on @user_function:2.\r\n"
    );
    assert_eq!(
        reply("return redis.call('get')"),
        "-ERR Wrong number of args calling Redis command from script script: f, on @user_function:2.\r\n"
    );
    assert_eq!(
        reply("return KEYS"),
        "-ERR user_function:2: Script attempted to access nonexistent global variable 'KEYS' script: f, on @user_function:2.\r\n"
    );
    assert_eq!(
        reply("return tostring(redis.breakpoint) .. type(string.rep) .. redis.REDIS_VERSION"),
        "$16\r\nnilfunction8.0.2\r\n"
    );
    assert_eq!(reply("return cjson.encode({1})"), "$3\r\n[1]\r\n");
}

/// Texts as recorded from Redis 8.0.
#[test]
fn what_is_wrong_with_a_library() {
    let long =
        "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";
    let error = |text: &str| format!("Error registering functions: ERR {text}");
    let mut functions = Functions::new(&options());
    for (code, expected) in [
        ("return 1", "Missing library metadata".to_string()),
        ("#!lua\nx", "Library name was not given".into()),
        ("#!lua name=a", "Invalid library metadata".into()),
        ("#!lua name=a\n", "No functions registered".into()),
        ("#!lua foo=a\nx", "Invalid metadata value given: foo=a".into()),
        ("#!lua name=a name=b\nx", "Invalid metadata value, name argument was given multiple times".into()),
        ("#!lua name=a-b\nx", long.into()),
        ("#!lua name=\nx", long.into()),
        ("#!foo name=a\nx", "Engine 'foo' not found".into()),
        ("#! name=a\nx", "Engine '' not found".into()),
        ("#!lua \"\nx", "Invalid library metadata".into()),
        ("#!lua name=a\nreturn (", "Error compiling function: user_function:2: unexpected symbol near '<eof>'".into()),
        ("#!lua name=a\nlocal x = 1", "No functions registered".into()),
        (
            "#!lua name=a\nredis.register_function('x')",
            error(
                "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).",
            ),
        ),
        ("#!lua name=a\nredis.register_function()", error("wrong number of arguments to redis.register_function")),
        ("#!lua name=a\nredis.register_function(1,2,3)", error("wrong number of arguments to redis.register_function")),
        (
            "#!lua name=a\nredis.register_function('a','b')",
            error("second argument to redis.register_function must be a function"),
        ),
        (
            "#!lua name=a\nredis.register_function({},function() end)",
            error("first argument to redis.register_function must be a string"),
        ),
        ("#!lua name=a\nredis.register_function('a b',function() end)", error(long)),
        ("#!lua name=a\nredis.register_function{}", error("redis.register_function must get a function name argument")),
        (
            "#!lua name=a\nredis.register_function{function_name='x'}",
            error("redis.register_function must get a callback argument"),
        ),
        (
            "#!lua name=a\nredis.register_function{function_name='x',callback=1}",
            error("callback argument given to redis.register_function must be a function"),
        ),
        (
            "#!lua name=a\nredis.register_function{function_name={},callback=function() end}",
            error("function_name argument given to redis.register_function must be a string"),
        ),
        (
            "#!lua name=a\nredis.register_function{function_name='x',callback=function() end,foo=1}",
            error("unknown argument given to redis.register_function"),
        ),
        (
            "#!lua name=a\nredis.register_function{function_name='x',callback=function() end,flags=1}",
            error("flags argument to redis.register_function must be a table representing function flags"),
        ),
        (
            "#!lua name=a\nredis.register_function{function_name='x',callback=function() end,flags={'zz'}}",
            error("unknown flag given"),
        ),
        (
            "#!lua name=a\nredis.register_function{function_name='x',callback=function() end,flags={{}}}",
            error("unknown flag given"),
        ),
        (
            "#!lua name=a\nredis.register_function{function_name='x',callback=function() end,description={}}",
            error("description argument given to redis.register_function must be a string"),
        ),
        ("#!lua name=a\nredis.register_function{1,2}", error("unknown argument given to redis.register_function")),
        (
            "#!lua name=a\nredis.register_function{[{}]=1}",
            error("named argument key given to redis.register_function is not a string"),
        ),
        (
            "#!lua name=a\nredis.register_function('x',function() end) redis.register_function('x',function() end)",
            error("Function already exists in the library"),
        ),
        (
            "#!lua name=a\nredis.call('get','x')",
            error("user_function:2: Script attempted to access nonexistent global variable 'call'"),
        ),
        (
            "#!lua name=a\nlocal y = math.random()",
            error("user_function:2: Script attempted to access nonexistent global variable 'math'"),
        ),
        ("#!lua name=a\nfoo=1", error("user_function:2: Attempt to modify a readonly table")),
        ("#!lua name=a\nfunction foo() end", error("user_function:2: Attempt to modify a readonly table")),
        ("#!lua name=a\nredis.x=1", error("user_function:2: Attempt to modify a readonly table")),
        (
            "#!lua name=a\nredis.register_function('y', function() end) error('late')",
            error("user_function:2: Script attempted to access nonexistent global variable 'error'"),
        ),
    ] {
        assert_eq!(load(&mut functions, code, false), Err(expected), "{code}");
        assert_eq!(functions.libraries().len(), 0);
    }
}
