//! Allocations that hold strings back to back: making them, writing their parts and finding these again.

use std::alloc::{self, Layout};
use std::ptr;

use crate::memory::good_size;

pub(crate) const LONG_KEY: u8 = 255;
const LONG_INLINE: u8 = 255;

pub(crate) fn head_len(key_len: usize, expires: bool) -> usize {
    (if expires { 8 } else { 0 }) + (if key_len < usize::from(LONG_KEY) { 1 } else { 5 }) + key_len
}

pub(crate) fn inline_len_bytes(len: usize) -> usize {
    if len < usize::from(LONG_INLINE) { 1 } else { 3 }
}

/// Whole size classes, so that an entry whose value changes in place is released with the layout it was allocated with.
fn layout(size: usize) -> Layout {
    Layout::from_size_align(good_size(size), 8).expect("an entry is far smaller than the address space")
}

pub(crate) fn allocate(size: usize) -> *mut u8 {
    // SAFETY: an entry has at least a key length, so the size is not zero.
    let at = unsafe { alloc::alloc(layout(size)) };
    if at.is_null() {
        alloc::handle_alloc_error(layout(size));
    }
    at
}

/// # Safety
/// `at` came from [`allocate`] with a size of the same class and is not used again.
pub(crate) unsafe fn release(at: *mut u8, size: usize) {
    // SAFETY: see above.
    unsafe { alloc::dealloc(at, layout(size)) }
}

/// # Safety
/// `p` has room for the key and its length.
pub(crate) unsafe fn write_key(p: *mut u8, key: &[u8]) {
    // SAFETY: see above.
    unsafe {
        let data = match u8::try_from(key.len()) {
            Ok(len) if len != LONG_KEY => {
                *p = len;
                p.add(1)
            }
            _ => {
                *p = LONG_KEY;
                p.add(1).cast::<u32>().write_unaligned(u32::try_from(key.len()).expect("keys are below 4 GiB"));
                p.add(5)
            }
        };
        ptr::copy_nonoverlapping(key.as_ptr(), data, key.len());
    }
}

/// # Safety
/// `p` has room for the string and its length.
pub(crate) unsafe fn write_inline(p: *mut u8, s: &[u8]) {
    // SAFETY: see above.
    unsafe {
        let data = match u8::try_from(s.len()) {
            Ok(len) if len != LONG_INLINE => {
                *p = len;
                p.add(1)
            }
            _ => {
                *p = LONG_INLINE;
                p.add(1).cast::<u16>().write_unaligned(s.len() as u16);
                p.add(3)
            }
        };
        ptr::copy_nonoverlapping(s.as_ptr(), data, s.len());
    }
}

/// # Safety
/// `p` has room for a pointer.
pub(crate) unsafe fn write_box<T>(p: *mut u8, value: Box<T>) {
    // SAFETY: see above.
    unsafe { p.cast::<*mut T>().write_unaligned(Box::into_raw(value)) }
}

/// # Safety
/// `p` holds what [`write_box`] wrote for a box of this type.
pub(crate) unsafe fn boxed<T>(p: *mut u8) -> *mut T {
    // SAFETY: see above.
    unsafe { p.cast::<*mut T>().read_unaligned() }
}

/// # Safety
/// `p` holds an inline string as [`write_inline`] wrote it.
pub(crate) unsafe fn inline_parts(p: *mut u8) -> (*mut u8, usize) {
    // SAFETY: see above.
    unsafe {
        match *p {
            LONG_INLINE => (p.add(3), usize::from(p.add(1).cast::<u16>().read_unaligned())),
            len => (p.add(1), usize::from(len)),
        }
    }
}
