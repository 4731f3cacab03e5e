//! Any pattern, subject and replacement.
#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;

const SCRIPT: &[u8] = b"
    local subject, pattern, replacement = ARGV[1], ARGV[2], ARGV[3]
    pcall(string.find, subject, pattern, -3)
    pcall(string.match, subject, pattern)
    pcall(string.gsub, subject, pattern, replacement)
    pcall(string.gsub, subject, pattern, function(...) return (...) end)
    pcall(function() for a, b in subject:gmatch(pattern) do end end)
    return 1";

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |&byte| byte == 0xff);
    let mut next = || parts.next().unwrap_or_default();
    let (pattern, replacement, subject) = (next(), next(), next());
    let reply = support::eval(SCRIPT, &[subject, pattern, replacement]);
    assert!(reply == b":1\r\n" || reply.starts_with(b"-ERR Script killed"), "{}", reply.escape_ascii());
});
