//! Any format and any bytes.
#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;

const SCRIPT: &[u8] = b"
    pcall(struct.size, ARGV[1])
    pcall(struct.unpack, ARGV[1], ARGV[2], 2)
    local values = {pcall(struct.unpack, ARGV[1], ARGV[2])}
    if values[1] then pcall(struct.pack, ARGV[1], unpack(values, 2, #values)) end
    return 1";

fuzz_target!(|data: &[u8]| {
    let Some((&split, rest)) = data.split_first() else { return };
    let (format, bytes) = rest.split_at((split as usize).min(rest.len()));
    assert_eq!(support::eval(SCRIPT, &[format, bytes]), b":1\r\n");
});
