//! Numbers as C treats them.

use std::ffi::{c_char, c_int};

/// A C cast of a double to a 64-bit integer on x86-64: towards zero, and the smallest integer for what does not fit.
pub(crate) fn truncate(value: f64) -> i64 {
    if (-9223372036854775808.0..9223372036854775808.0).contains(&value) { value as i64 } else { i64::MIN }
}

/// `%.{precision}g` of C.
pub(crate) fn push_general(out: &mut Vec<u8>, value: f64, precision: c_int) {
    let mut buffer = [0u8; 64];
    // SAFETY: the format takes an int and a double, and the buffer is as long as it says.
    let length = unsafe {
        libc::snprintf(buffer.as_mut_ptr().cast::<c_char>(), buffer.len(), c"%.*g".as_ptr(), precision, value)
    };
    let length = usize::try_from(length).unwrap_or(0).min(buffer.len() - 1);
    out.extend_from_slice(&buffer[..length]);
}

/// C's `strtod` on text that a zero byte must follow somewhere: the number and the bytes it took.
pub(crate) fn parse_prefix(text: &std::ffi::CStr) -> (f64, usize) {
    let mut end = std::ptr::null_mut();
    // SAFETY: the text ends with a zero byte, beyond which strtod does not read.
    let value = unsafe { libc::strtod(text.as_ptr(), &mut end) };
    (value, end as usize - text.as_ptr() as usize)
}

/// Seconds of processor time that the process has used, in whole microseconds.
pub(crate) fn processor_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists, and the result is written to a value of the right type.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    let micros = time.tv_sec * 1_000_000 + time.tv_nsec / 1000;
    micros as f64 / 1e6
}
