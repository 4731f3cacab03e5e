//! Any bytes, from any offset and with any limit: an error or values that can be packed again.
#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;

const SCRIPT: &[u8] = b"
    pcall(cmsgpack.unpack_limit, ARGV[3], ARGV[1]:byte(), ARGV[2]:byte())
    pcall(cmsgpack.unpack_one, ARGV[3])
    local values = {pcall(cmsgpack.unpack, ARGV[3])}
    if not values[1] then return 'error' end
    return #cmsgpack.pack(values)";

fuzz_target!(|data: &[u8]| {
    let [limit, offset, rest @ ..] = data else { return };
    let reply = support::eval(SCRIPT, &[&[*limit], &[*offset], rest]);
    assert!(!reply.starts_with(b"-"), "{}", reply.escape_ascii());
});
