//! The hottest few lines of the server: a prefix, a number, a line end, perhaps a value.

/// Most bytes that a prefix, a number and a line end take.
pub(super) const MAX_HEADER: usize = 1 + 20 + 2;

/// Numbers below this have their digits and line end ready made.
const READY_MADE: usize = 100;

static ENDINGS: [[u8; 4]; READY_MADE] = {
    let mut endings = [[0; 4]; READY_MADE];
    let mut number = 0;
    while number < READY_MADE {
        let (tens, ones) = (b'0' + (number / 10) as u8, b'0' + (number % 10) as u8);
        endings[number] = if number < 10 { [ones, b'\r', b'\n', 0] } else { [tens, ones, b'\r', b'\n'] };
        number += 1;
    }
    endings
};

/// Writes a header to `to` and answers its length.
///
/// # Safety
/// `MAX_HEADER` bytes from `to` on must be writable.
#[inline(always)]
unsafe fn write_header(to: *mut u8, prefix: u8, number: u64) -> usize {
    if number < READY_MADE as u64 {
        let ending = &ENDINGS[number as usize];
        // SAFETY: five bytes, which is less than the caller vouches for.
        unsafe {
            to.write(prefix);
            to.add(1).copy_from_nonoverlapping(ending.as_ptr(), ending.len());
        }
        if number < 10 { 4 } else { 5 }
    } else {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(number).as_bytes();
        // SAFETY: a `u64` has at most 20 digits, so all of it is less than the caller vouches for.
        unsafe {
            to.write(prefix);
            to.add(1).copy_from_nonoverlapping(digits.as_ptr(), digits.len());
            to.add(1 + digits.len()).copy_from_nonoverlapping(b"\r\n".as_ptr(), 2);
        }
        1 + digits.len() + 2
    }
}

/// Appends a header.
///
/// # Safety
/// `out` must have room for `MAX_HEADER` bytes.
#[inline]
pub(super) unsafe fn put_header(out: &mut Vec<u8>, prefix: u8, number: u64) {
    debug_assert!(out.capacity() - out.len() >= MAX_HEADER);
    let len = out.len();
    // SAFETY: the room is there, and as many bytes as the length grows by have been written.
    unsafe {
        let written = write_header(out.as_mut_ptr().add(len), prefix, number);
        out.set_len(len + written);
    }
}

/// Appends a header with the length of a value, the value, and a line end.
///
/// # Safety
/// `out` must have room for `MAX_HEADER` and 2 bytes more than the value.
#[inline]
pub(super) unsafe fn put_value(out: &mut Vec<u8>, prefix: u8, value: &[u8]) {
    debug_assert!(out.capacity() - out.len() >= MAX_HEADER + value.len() + 2);
    let len = out.len();
    // SAFETY: the room is there, `value` cannot be part of it as `out` is borrowed mutably, and as many bytes as the
    // length grows by have been written.
    unsafe {
        let to = out.as_mut_ptr().add(len);
        let header = write_header(to, prefix, value.len() as u64);
        to.add(header).copy_from_nonoverlapping(value.as_ptr(), value.len());
        to.add(header + value.len()).copy_from_nonoverlapping(b"\r\n".as_ptr(), 2);
        out.set_len(len + header + value.len() + 2);
    }
}
