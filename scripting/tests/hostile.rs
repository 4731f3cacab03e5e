//! Scripts that mean harm: each gets an error, and the engine goes on.

mod support;

use protocol::{Reply, Resp};
use scripting::{End, Engine, Flow, Functions, Options};
use support::{Mock, eval_on, options};

fn eval(engine: &mut Engine, script: &str) -> String {
    let (end, reply) = eval_on(engine, &mut Mock::default(), Resp::V2, script.as_bytes());
    assert_eq!(end, Some(End::Replied));
    reply.escape_ascii().to_string()
}

#[track_caller]
fn check_alive(engine: &mut Engine) {
    assert_eq!(
        eval(engine, "return string.rep('ab', 2) .. #KEYS .. tostring(pcall(error))"),
        "$10\\r\\nabab1false\\r\\n"
    );
}

/// Endless loops, some of which try to survive.
const ENDLESS: [&str; 14] = [
    "while true do end",
    "repeat local x = {} until false",
    "while true do pcall(function() while true do end end) end",
    "while true do pcall(pcall, pcall, error) end",
    "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "local function again() return pcall(again) or again() end while true do again() end",
    "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "while true do pcall(coroutine.wrap(function() while true do end end)) end",
    "local f = coroutine.wrap(function() while true do coroutine.yield() end end) while true do f() end",
    "while true do string.gsub('aaa', 'a', function() while true do end end) end",
    "while true do pcall(string.find, ('a'):rep(200), ('a*'):rep(100) .. 'b') end",
    "setmetatable(_G.KEYS, {__index = function(t, k) while true do end end}) return KEYS.x",
    "while true do load(function() return ' ' end) end",
    "table.sort({3, 1, 2}, function() while true do end end)",
];

#[test]
fn endless_scripts_can_be_killed() {
    let mut engine = Engine::new(&options());
    for script in ENDLESS {
        let mut host = Mock { interrupt: Some(Flow::Kill), ..Mock::default() };
        let (end, reply) = eval_on(&mut engine, &mut host, Resp::V2, script.as_bytes());
        assert_eq!(end, Some(End::Replied), "{script}");
        let reply = String::from_utf8(reply).unwrap();
        assert!(reply.starts_with("-ERR Script killed by user with SCRIPT KILL..."), "{script}: {reply}");
        assert_eq!(host.asked, 1, "{script} has gone on");
        check_alive(&mut engine);
    }
}

/// Single calls, or loops of a few, that take long in themselves: the number of instructions says nothing of them.
const LONG_CALLS: [&str; 30] = [
    "local s = ('a'):rep(1e5) return #s:gsub('a', s)",
    "local s = ('x'):rep(1e5) return #s:gsub('x', ('%0'):rep(1e3))",
    "return ('a'):rep(1e5):find('.-.-.-.-b')",
    "return ('('):rep(1e6):find('%b()')",
    "return ('a'):rep(1e5):find('[' .. ('b'):rep(1e5) .. ']')",
    "return ('a'):rep(1e5):match('(.-)%1(.-)%2b')",
    "local s = ('a'):rep(1e6) while true do s:find('b', 1, true) end",
    "local s = ('a'):rep(1e6) while true do s:upper() end",
    "local s = ('a'):rep(1e6) while true do local t = s .. 'b' end",
    "local s = ('1'):rep(1e6) while true do tonumber(s) end",
    "local s = ('1'):rep(1e6) while true do redis.sha1hex(s) end",
    "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.insert(t, 1, 1) end",
    "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.remove(t, 1) t[#t + 1] = 1 end",
    "local t = {} for i = 1, 1e5 do t[i] = i % 7 end while true do table.sort(t) end",
    "local t = {} for i = 1, 1e5 do t[i] = '' end while true do table.concat(t) end",
    "local t = {} for i = 1, 1e5 do t['k' .. i] = 1 end while true do table.maxn(t) end",
    "local t = {} for i = 1, 1e5 do t[i] = {} end while true do collectgarbage() end",
    "local t = {} for i = 1, 1e5 do t[i] = i end local u = {} for i = 1, 1e3 do u[i] = t end return cjson.encode(u)",
    "local t = {} for i = 1, 1e5 do t[i] = i end local u = {} for i = 1, 1e3 do u[i] = t end return cmsgpack.pack(u)",
    "local t = {} for i = 1, 1e5 do t[i] = i end local u = {} for i = 1, 1e3 do u[i] = t end return u",
    "local s = '[' .. ('1,'):rep(1e5) .. '1]' while true do cjson.decode(s) end",
    "local s = '\\220\\255\\255' .. ('\\1'):rep(65535) while true do cmsgpack.unpack(s) end",
    "local s = ('x'):rep(1e6) while true do struct.pack('s', s) end",
    "local s = ('x'):rep(1e6) while true do struct.size(s) end",
    "local s = ('a = 1 '):rep(1e5) while true do loadstring(s) end",
    "local s = ('a = 1 '):rep(1e5) while true do load(function() local t = s s = nil return t end) s = ('a = 1 '):rep(1e5) end",
    "local s = ('x'):rep(1e6) while true do redis.log(redis.LOG_DEBUG, s) end",
    "local s = ('x'):rep(1e6) while true do pcall(string.rep, s, 1e6) end",
    "local s = ('x'):rep(1e6) while true do redis.pcall('get', s, s, s, s, s, s, s, s) end",
    "local t = setmetatable({}, {__concat = function(a, b) return a end}) while true do t = t .. 'x' .. t end",
];

#[test]
fn long_calls_can_be_killed() {
    let mut engine = Engine::new(&options());
    for script in LONG_CALLS {
        for script in [script.to_string(), format!("while true do pcall(function() {script} end) end")] {
            let mut host = Mock { interrupt: Some(Flow::Kill), ..Mock::default() };
            let (end, reply) = eval_on(&mut engine, &mut host, Resp::V2, script.as_bytes());
            assert_eq!(end, Some(End::Replied), "{script}");
            let reply = reply.escape_ascii().to_string();
            assert!(reply.starts_with("-ERR Script killed by user with SCRIPT KILL..."), "{script}: {reply}");
            assert_eq!(host.asked, 1, "{script} has gone on");
            check_alive(&mut engine);
        }
    }
}

/// However often the host is asked, it is not asked all the time.
#[test]
fn the_host_is_asked_now_and_then() {
    let mut engine = Engine::new(&options());
    let mut host = Mock::default();
    eval_on(&mut engine, &mut host, Resp::V2, b"for i = 1, 1e6 do local x = i .. '' end");
    assert!((100..10_000).contains(&host.asked), "{} times", host.asked);
    let mut host = Mock::default();
    eval_on(&mut engine, &mut host, Resp::V2, b"local t = {} for i = 1, 100 do t[i] = i end table.sort(t) return t");
    assert_eq!(host.asked, 0);
}

#[test]
fn nothing_catches_an_abandoned_run() {
    let mut engine = Engine::new(&options());
    for script in [
        "redis.call('stop') redis.call('set', 'x', 'y')",
        "redis.pcall('stop') redis.call('set', 'x', 'y')",
        "pcall(redis.call, 'stop') redis.call('set', 'x', 'y')",
        "xpcall(function() redis.call('stop') end, function() redis.call('set', 'x', 'y') end)",
        "coroutine.resume(coroutine.create(function() redis.call('stop') end)) redis.call('set', 'x', 'y')",
        "pcall(coroutine.wrap(function() redis.call('stop') end)) redis.call('set', 'x', 'y')",
        "pcall(string.gsub, 'a', 'a', function() redis.call('stop') end) redis.call('set', 'x', 'y')",
        "pcall(table.sort, {1, 2}, function() redis.call('stop') end) redis.call('set', 'x', 'y')",
        "load(function() redis.call('stop') end) redis.call('set', 'x', 'y')",
        "pcall(tostring, setmetatable({}, {__tostring = function() redis.call('stop') end})) redis.call('set', 'x', 'y')",
    ] {
        let mut host = Mock { stop: Some(Flow::Abandon), ..Mock::default() };
        let mut reply = Reply::new(Resp::V2);
        reply.simple("before");
        let sha = engine.load(script.as_bytes()).unwrap();
        let end = engine.run(&sha, [].into_iter(), [].into_iter(), &mut host, &mut reply);
        assert_eq!(end, Some(End::Abandoned), "{script}");
        assert_eq!(reply.to_vec(), b"+before\r\n", "{script}");
        assert!(host.strings.is_empty(), "{script} has gone on");
        assert!(host.errors.is_empty(), "{script}");
    }
    check_alive(&mut engine);
}

#[test]
fn panics_of_the_host_come_out_on_the_other_side() {
    let mut engine = Engine::new(&options());
    let sha = engine.load(b"pcall(redis.call, 'panic') redis.call('set', 'x', 'y')").unwrap();
    let mut host = Mock::default();
    let mut reply = Reply::new(Resp::V2);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        engine.run(&sha, [].into_iter(), [].into_iter(), &mut host, &mut reply)
    }));
    assert_eq!(outcome.unwrap_err().downcast_ref::<&str>(), Some(&"the command panics"));
    assert!(host.strings.is_empty());
    check_alive(&mut engine);
}

#[test]
fn memory_is_limited() {
    let mut engine = Engine::new(&Options { memory_limit: 8 << 20, ..options() });
    for script in [
        "return string.rep('x', 2^30)",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = {} end",
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "local s = ('x'):rep(2^20) local t = {} for i = 1, 100 do t[i] = s end return table.concat(t)",
        "local s = ('x'):rep(2^20) return s:gsub('x', s)",
        "local s = ('x'):rep(2^20) return s:gsub('x', '%0%0%0%0%0%0%0%0%0%0')",
        "local t = {} for i = 1, 20 do t = {t, t, t, t, t, t, t, t} end return cjson.encode(t)",
        "local t = {} for i = 1, 15 do t = {t, t, t, t, t, t, t, t, t, t} end return cmsgpack.pack(t)",
        "local t = {} for i = 1, 20 do t = {t, t, t, t, t, t, t, t} end return t",
        "return cjson.decode('[' .. ('[],'):rep(2^20) .. '1]')",
        "return cmsgpack.unpack(('\\144'):rep(2^20))",
        "return cmsgpack.unpack('\\221\\0\\16\\0\\0' .. ('\\144'):rep(2^20))",
        "local s = ('x'):rep(2^20) local a = {} for i = 1, 200 do a[i] = s end return struct.pack(('s'):rep(200), unpack(a))",
        "local f = load(function() return ('x'):rep(2^20) end)  error(f)",
        "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
        "return redis.call('echo', ('x'):rep(2^22))",
        "local s = ('x'):rep(2^20) return s:gsub('.*', ('%0'):rep(2^10))",
        "local s = ('x'):rep(2^20) return s:gsub('x*', function() return s .. s .. s .. s end)",
        "return ('x'):rep(2^20):match(('(.'):rep(20) .. '.*' .. (')'):rep(20))",
        "local s = ('x'):rep(2^20) local t = {} for i = 1, 100 do t[i] = s end return string.format(('%s'):rep(100), unpack(t))",
        "local s = ('x'):rep(2^20) local t = {} for i = 1, 100 do t[i] = s end return cjson.encode(t)",
        "local s = ('\\0'):rep(2^20) return cjson.encode({s, s, s, s})",
        "local s = ('x'):rep(2^20) local t = {} for i = 1, 100 do t[i] = s end return cmsgpack.pack(t)",
        "local s = ('x'):rep(2^20) local t = {} for i = 1, 100 do t[i] = s end return cmsgpack.pack(unpack(t))",
        "local s = ('x'):rep(2^20) local t = {} for i = 1, 100 do t[i] = s end return t",
        "local s = ('x'):rep(2^20) local t = {} for i = 1, 100 do t[i] = s end return redis.call('ping', unpack(t))",
        "local s = ('x'):rep(2^20) local t = {} for i = 1, 100 do t[i] = s end return redis.log(1, unpack(t))",
        "return redis.call('raw', '*1000000\\r\\n' .. ('*0\\r\\n'):rep(1e6))",
        "return loadstring(('a = 1 '):rep(2^20))",
        "local t = {} for i = 1, 1e9 do t['k' .. i] = i end",
        "local f = function() end for i = 1, 1e9 do local g = f f = function() return g end end",
    ] {
        let reply = eval(&mut engine, script);
        let is_refused = reply.contains("not enough memory") || reply.contains("stack overflow");
        let may_work = ["load(", "loadstring(", "echo"].iter().any(|part| script.contains(part));
        assert!(is_refused || may_work, "{script}: {:.200}", reply);
        assert!(engine.vm_memory() < 6 << 20, "{script}: {} bytes are still held", engine.vm_memory());
        check_alive(&mut engine);
    }
    // And caught by the script itself.
    let caught = eval(&mut engine, "local ok, e = pcall(string.rep, 'x', 2^30) return {tostring(ok), e}");
    assert_eq!(caught, "*2\\r\\n$5\\r\\nfalse\\r\\n$17\\r\\nnot enough memory\\r\\n");
    eval(&mut engine, "collectgarbage() return 1");
    assert!(engine.vm_memory() < 2 << 20, "{} bytes are still held", engine.vm_memory());
}

#[test]
fn deep_structures_and_recursion_end() {
    let mut engine = Engine::new(&options());
    for script in [
        "local function f() return f() + 1 end return f()",
        "local function f() return pcall(f) end return tostring(f())",
        "local function f() return xpcall(f, f) end return tostring(f())",
        "local function f() return coroutine.wrap(f)() end return f()",
        "local function f() return string.gsub('a', 'a', f) end return f()",
        "local function f() return loadstring('return ...')(f()) end return f()",
        "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end return t.x",
        "local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x",
        "local a, b = setmetatable({}, {}), {} getmetatable(a).__eq = function() return a == b end setmetatable(b, getmetatable(a)) return a == b",
        "return loadstring(('('):rep(100000))",
        "return loadstring(('{'):rep(100000))",
        "return loadstring('return ' .. ('-'):rep(100000) .. '1')",
        "return loadstring('return ' .. ('not '):rep(100000) .. '1')",
        "return loadstring('return ' .. ('a..'):rep(100000) .. 'a')",
        "return loadstring(('do '):rep(100000))",
        "return loadstring(('function f() '):rep(100000))",
        "return loadstring('local ' .. ('a,'):rep(1000) .. 'a')",
        "return loadstring('return {' .. ('1,'):rep(300000) .. '}')",
        "local t = {} for i = 1, 1e5 do t = {t} end return t",
        "local t = {} for i = 1, 1e5 do t = {map = {x = t}} end return t",
        "local t = {} for i = 1, 1e5 do t = {set = {[t] = true}} end return t",
        "local t = {} for i = 1, 1e5 do t = {t} end cjson.encode_max_depth(2^31 - 1) return cjson.encode(t)",
        "local t = {} for i = 1, 1e5 do t = {x = t} end cjson.encode_max_depth(2^31 - 1) return cjson.encode(t)",
        "cjson.decode_max_depth(2^31 - 1) return cjson.decode(('['):rep(1e5) .. (']'):rep(1e5))",
        "cjson.decode_max_depth(2^31 - 1) return cjson.decode(('{\"a\":'):rep(1e5) .. 1 .. ('}'):rep(1e5))",
        "return cmsgpack.unpack(('\\145'):rep(1e5))",
        "return cmsgpack.unpack(('\\129\\1'):rep(1e5))",
        "return cmsgpack.unpack(('\\129'):rep(1e5))",
        "return string.find(('a'):rep(3e5), ('a?'):rep(3e5))",
        "return string.find(('a'):rep(3e5), ('(a'):rep(3e5))",
        "return string.find(('a'):rep(3e5), ('.-'):rep(3e5))",
        "return redis.call('raw', ('*1\\r\\n'):rep(1e5))",
        "for n = 1, 50 do pcall(cmsgpack.unpack, ('\\1'):rep(n) .. '\\129\\202\\127\\192\\0\\0\\1') end",
        "for n = 1, 50 do pcall(cmsgpack.unpack, ('\\1'):rep(n) .. '\\193') pcall(struct.unpack, ('b'):rep(n) .. '?', ('b'):rep(n)) end",
        "for n = 1, 50 do pcall(cjson.decode, ('['):rep(n) .. 'x') pcall(string.find, 'x', ('()'):rep(n) .. '%1') end",
        "return unpack({}, 1, 1e7)",
        "return {unpack(setmetatable({}, {__index = function() return 1 end}), 1, 1000)}",
        "return string.format('%99.99f', 1e308) .. string.format(('%s'):rep(100), unpack({}, 1, 100))",
        "return table.concat(setmetatable({}, {__len = 1}), 'x', 1, 2^31 - 1)",
        "return select(2^31 - 1, 1) or select(-2^31, 1)",
        "return string.byte(('x'):rep(1e6), 1, -1)",
        "return string.char(unpack({}, 1, 7000))",
        "return table.insert({}, -2^31, 1)",
        "return table.remove({}, -2^31)",
        "return ('x'):sub(-2^63, 2^63) .. ('x'):rep(-2^63)",
        "return bit.tohex(1, -2^31) .. bit.lshift(1, 2^40)",
        "return struct.unpack('!2147483647i', 'xxxx') .. struct.size('!1073741824i1073741824')",
        "return struct.size(('c2147483647'):rep(100))",
    ] {
        eval(&mut engine, script);
        check_alive(&mut engine);
    }
}

#[test]
fn the_sandbox_holds() {
    let mut engine = Engine::new(&options());
    for script in [
        // Each returns something true if it has got through.
        "return rawset(_G, 'x', 1) and x",
        "for k, t in pairs(_G) do if type(t) == 'table' and k ~= 'KEYS' and k ~= 'ARGV' then pcall(rawset, t, 'evil', 1) pcall(function() t.evil = 1 end) pcall(setmetatable, t, {}) pcall(table.insert, t, 'evil') if rawget(t, 'evil') or t[1] then return k end end end",
        "local f, t = pairs(string) t.evil = 1 return string.evil",
        "local f, t, k = pairs(_G) pcall(rawset, t, 'evil', 1) return rawget(_G, 'evil')",
        "getmetatable('').__index = {upper = function() return 'evil' end} return ('x'):upper() == 'evil'",
        "getmetatable('').__index.upper = 1 return ('x').upper == 1",
        "getmetatable('').evil = 1 return getmetatable('').evil",
        "rawset(getmetatable(''), '__index', {}) return 1",
        "getmetatable(_G).__index = function() return 1 end return evil",
        "setmetatable(_G, nil) return evil",
        "getmetatable(_G).__metatable = 1 return getmetatable(_G) == 1",
        "return getmetatable(redis) or getmetatable(string) or getmetatable(cjson)",
        "setmetatable(string, {__index = function() return 1 end}) return string.evil",
        "table.sort(_G) return false",
        "return load(string.dump(function() return 1 end))()",
        "return loadstring(string.dump(function() return 1 end))()",
        "local p = {'\\27', string.dump(function() return 1 end):sub(2)} local i = 0 return load(function() i = i + 1 return p[i] end)()",
        "return io or os.execute or os.exit or require or debug or package or dofile or loadfile",
        "local t = setmetatable({}, {string}) return rawset(t, 1, 1) and string[1]",
        "local c = cjson.decode_array_with_array_mt(true) local m = getmetatable(cjson.decode('[]')) m.__index = {1} return 0 == 1",
        "cjson.encode = 1 return cjson.encode == 1",
        "local c = cjson.new() rawset(cjson, 'encode', c) return cjson.encode == c",
        "coroutine.wrap(function() _G.evil = 1 end)() return evil",
        "xpcall(function() error(_G) end, function(e) e.evil = 1 end) return rawget(_G, 'evil')",
    ] {
        let reply = eval(&mut engine, script);
        assert!(reply.starts_with('-') || reply == "$-1\\r\\n", "{script}: {reply}");
        check_alive(&mut engine);
    }
    // An error that is a protected table stays as it is.
    let reply = eval(&mut engine, "error(redis)");
    assert!(reply.starts_with("-ERR unknown error"), "{reply}");
    assert_eq!(
        eval(&mut engine, "return {rawget(redis, 'err') or 1, rawget(redis, 'line') or 2}"),
        "*2\\r\\n:1\\r\\n:2\\r\\n"
    );
}

#[test]
fn errors_without_a_text_and_odd_replies() {
    let mut engine = Engine::new(&options());
    let reply = eval(&mut engine, "error({1})");
    assert!(reply.starts_with("-ERR unknown error script: "), "{reply}");
    for reply in [
        "",
        "x",
        "*2\\r\\n:1\\r\\n",
        "$5\\r\\nab",
        ":99999999999999999999\\r\\n",
        "*-2\\r\\n",
        "%1\\r\\n_\\r\\n:1\\r\\n",
        ",x\\r\\n",
        "=3\\r\\nabc\\r\\n",
        "|1\\r\\n:1\\r\\n",
    ] {
        eval(&mut engine, &format!("return redis.pcall('raw', '{reply}')"));
        check_alive(&mut engine);
    }
}

#[test]
fn loading_a_library_takes_only_so_long() {
    let mut functions = Functions::new(&options());
    let mut host = Mock::default();
    let limit = Some(std::time::Duration::from_millis(20));
    for code in [
        "while true do end",
        "local x = '' while true do x = x .. 'x' end",
        "redis.register_function('a', function() end) while true do end",
        "while true do redis.log(1, 'x') end",
    ] {
        let error = functions.load(format!("#!lua name=lib\n{code}").as_bytes(), false, limit, &mut host).unwrap_err();
        let error = String::from_utf8(error).unwrap();
        assert!(
            error == "Error registering functions: ERR FUNCTION LOAD timeout" || error.ends_with("not enough memory"),
            "{code}: {error}"
        );
        assert!(functions.is_empty());
        assert_eq!(functions.libraries().len(), 0);
    }
}
