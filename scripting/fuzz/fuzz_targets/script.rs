//! Any script; or one that is put together from snippets, which the first byte asks for.
#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;

/// Pieces that a script of random bytes would hardly come to.
const PIECES: [&str; 48] = [
    "local a = ", "a", " b ", "{", "}", "(", ")", "[", "]", "=", ",", "'x'", "1", "2^31", "-1", "nil", "true", ";",
    "function(...)", " end ", " return ", "...", "if a then ", "for i = 1, 9 do ", "while true do ", "pcall", "xpcall",
    "error", "coroutine.wrap", "coroutine.yield", "setmetatable", "getmetatable", "rawset", "_G", "string.rep",
    "string.gsub", "table.insert", "table.sort", "unpack", "load", "loadstring", "string.dump", "redis.call",
    "redis.pcall", "cjson.encode", "cjson.decode", "cmsgpack.pack", "struct.pack",
];

fuzz_target!(|data: &[u8]| {
    match data {
        [b'#', picks @ ..] => {
            let script: Vec<u8> =
                picks.iter().flat_map(|&pick| PIECES[pick as usize % PIECES.len()].bytes().chain([b' '])).collect();
            support::eval(&script, &[picks]);
        }
        script => {
            support::eval(script, &[script]);
        }
    }
    assert_eq!(support::eval(b"return #KEYS .. tostring(rawget(_G, 'x')) .. ('a'):upper()", &[]), b"$5\r\n0nilA\r\n");
});
