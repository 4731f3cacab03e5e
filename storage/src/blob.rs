//! An element of a big collection: one allocation that holds a string, or a name with its value, behind a pointer
//! packed into six bytes.
//!
//! ```text
//! [expiry: i64, if the pointer says so] [length: 1 or 5 bytes] [name] ([length] [value], if the pointer says so)
//! ```

use std::{ptr, slice};

use crate::layout::{LONG_KEY, allocate, head_len, release, write_key};
use crate::memory::good_size;
use crate::table::PlainItem;

/// The element begins with its expiry.
const EXPIRES: u64 = 1;
/// Behind the name stands a value.
const PAIR: u64 = 2;
const POINTER: u64 = (1 << 48) - 1 - 7;

/// See the module's description. Not dropped by itself: exactly one of [`Blob::free`] must end it.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Blob([u8; 6]);

// SAFETY: six plain bytes.
unsafe impl PlainItem for Blob {}

impl Blob {
    /// A string alone.
    pub(crate) fn new(name: &[u8]) -> Blob {
        Blob::build(None, name, None)
    }

    /// A name with its value, and when that expires in Unix milliseconds.
    pub(crate) fn pair(expiry: Option<i64>, name: &[u8], value: &[u8]) -> Blob {
        Blob::build(expiry, name, Some(value))
    }

    fn build(expiry: Option<i64>, name: &[u8], value: Option<&[u8]>) -> Blob {
        let head = head_len(name.len(), expiry.is_some());
        let at = allocate(head + value.map_or(0, |value| head_len(value.len(), false)));
        let bits = at.expose_provenance() as u64;
        assert_eq!(bits & !POINTER, 0, "user-space pointers are 8-aligned and below 2^48");
        // SAFETY: the fresh allocation has room for the head, and for the value behind it.
        unsafe {
            let mut p = at;
            if let Some(when) = expiry {
                p.cast::<i64>().write_unaligned(when);
                p = p.add(8);
            }
            write_key(p, name);
            if let Some(value) = value {
                write_key(at.add(head), value);
            }
        }
        let flags = if expiry.is_some() { EXPIRES } else { 0 } | if value.is_some() { PAIR } else { 0 };
        let mut packed = [0; 6];
        packed.copy_from_slice(&(bits | flags).to_le_bytes()[..6]);
        Blob(packed)
    }

    fn word(&self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }

    fn at(&self) -> *mut u8 {
        ptr::with_exposed_provenance_mut((self.word() & POINTER) as usize)
    }

    pub(crate) fn expiry(&self) -> Option<i64> {
        // SAFETY: the flag says that the element begins with its expiry.
        (self.word() & EXPIRES != 0).then(|| unsafe { self.at().cast::<i64>().read_unaligned() })
    }

    #[inline]
    pub(crate) fn name(&self) -> &[u8] {
        let skip = if self.word() & EXPIRES != 0 { 8 } else { 0 };
        // SAFETY: behind the expiry stands the name with its length.
        unsafe { string_at(self.at().add(skip)) }
    }

    /// The value; empty where there is none.
    #[inline]
    pub(crate) fn value(&self) -> &[u8] {
        if self.word() & PAIR == 0 {
            return b"";
        }
        // SAFETY: behind the name stands the value with its length.
        unsafe { string_at(self.value_at()) }
    }

    fn value_at(&self) -> *mut u8 {
        // SAFETY: the value stands behind the head, in the same allocation.
        unsafe { self.at().add(head_len(self.name().len(), self.expiry().is_some())) }
    }

    /// Puts another value in the place of the old one.
    pub(crate) fn set_value(&mut self, value: &[u8]) {
        if self.value().len() == value.len() && self.word() & PAIR != 0 {
            // SAFETY: the new value is written over the old one, which has the same length.
            unsafe { write_key(self.value_at(), value) };
        } else {
            let next = Blob::build(self.expiry(), self.name(), Some(value));
            std::mem::replace(self, next).free();
        }
    }

    pub(crate) fn set_expiry(&mut self, expiry: Option<i64>) {
        match (self.expiry(), expiry) {
            // SAFETY: the element begins with its expiry.
            (Some(_), Some(when)) => unsafe { self.at().cast::<i64>().write_unaligned(when) },
            (None, None) => {}
            _ => {
                let next = Blob::build(expiry, self.name(), (self.word() & PAIR != 0).then(|| self.value()));
                std::mem::replace(self, next).free();
            }
        }
    }

    /// A second element with the same content.
    pub(crate) fn duplicate(&self) -> Blob {
        Blob::build(self.expiry(), self.name(), (self.word() & PAIR != 0).then(|| self.value()))
    }

    fn size(&self) -> usize {
        let head = head_len(self.name().len(), self.expiry().is_some());
        if self.word() & PAIR == 0 { head } else { head + head_len(self.value().len(), false) }
    }

    /// Bytes that the element takes, as the allocator rounds them.
    pub(crate) fn memory(&self) -> usize {
        good_size(self.size())
    }

    /// Ends the element.
    pub(crate) fn free(self) {
        let size = self.size();
        // SAFETY: the allocation had this size, and the element is not used again.
        unsafe { release(self.at(), size) }
    }
}

/// # Safety
/// `p` points to a string as [`write_key`] wrote it, which outlives the borrow.
unsafe fn string_at<'a>(p: *const u8) -> &'a [u8] {
    // SAFETY: see above.
    unsafe {
        match *p {
            LONG_KEY => slice::from_raw_parts(p.add(5), p.add(1).cast::<u32>().read_unaligned() as usize),
            len => slice::from_raw_parts(p.add(1), usize::from(len)),
        }
    }
}
