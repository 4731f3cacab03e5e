//! An element of a big collection: one allocation that holds a name, or a name with its value, behind a pointer packed
//! into six bytes.
//!
//! ```text
//! [link: u32, if the pointer says so] [length: 1 or 5 bytes] [name] ([length] [value], if the pointer says so)
//! ```

use std::{ptr, slice};

use crate::layout::{LONG_KEY, allocate, head_len, release, write_key};
use crate::memory::good_size;
use crate::table::{PlainItem, prefetch};

/// The element begins with a link.
const LINKED: u64 = 1;
/// Behind the name stands a value.
const PAIR: u64 = 2;
const POINTER: u64 = (1 << 48) - 1 - 7;

const LINK_LEN: usize = size_of::<u32>();

/// See the module's description. Not dropped by itself: exactly one of [`Blob::free`] must end it.
#[repr(transparent)]
pub(crate) struct Blob([u8; 6]);

// SAFETY: six plain bytes.
unsafe impl PlainItem for Blob {}

impl Blob {
    /// A name alone.
    pub(crate) fn new(name: &[u8]) -> Blob {
        Blob::build(None, name, None)
    }

    /// A name with its value.
    pub(crate) fn pair(name: &[u8], value: &[u8]) -> Blob {
        Blob::build(None, name, Some(value))
    }

    fn build(link: Option<u32>, name: &[u8], value: Option<&[u8]>) -> Blob {
        let at = allocate(size(link.is_some(), name.len(), value.map(<[u8]>::len)));
        let bits = at.expose_provenance() as u64;
        assert_eq!(bits & !POINTER, 0, "user-space pointers are 8-aligned and below 2^48");
        // SAFETY: the fresh allocation has room for the link, the name and the value.
        unsafe {
            let mut p = at;
            if let Some(link) = link {
                p.cast::<u32>().write_unaligned(link);
                p = p.add(LINK_LEN);
            }
            write_key(p, name);
            if let Some(value) = value {
                write_key(p.add(head_len(name.len(), false)), value);
            }
        }
        let flags = if link.is_some() { LINKED } else { 0 } | if value.is_some() { PAIR } else { 0 };
        let mut packed = [0; 6];
        packed.copy_from_slice(&(bits | flags).to_le_bytes()[..6]);
        Blob(packed)
    }

    /// A second pointer to the same element.
    ///
    /// # Safety
    /// It is forgotten, not freed, before the element is freed or moves.
    pub(crate) unsafe fn alias(&self) -> Blob {
        Blob(self.0)
    }

    fn word(&self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }

    fn at(&self) -> *mut u8 {
        ptr::with_exposed_provenance_mut((self.word() & POINTER) as usize)
    }

    /// Whether both point to the same element.
    pub(crate) fn is(&self, other: &Blob) -> bool {
        self.0 == other.0
    }

    /// Starts to load the element.
    #[inline]
    pub(crate) fn prefetch(&self) {
        prefetch(self.at());
    }

    fn is_linked(&self) -> bool {
        self.word() & LINKED != 0
    }

    /// A number for the owner's use, if it was set.
    pub(crate) fn link(&self) -> Option<u32> {
        // SAFETY: the flag says that the element begins with its link.
        self.is_linked().then(|| unsafe { self.at().cast::<u32>().read_unaligned() })
    }

    /// Sets or clears the link. The element moves when there was none before, or is none any more.
    pub(crate) fn set_link(&mut self, link: Option<u32>) {
        match (self.is_linked(), link) {
            // SAFETY: the element begins with its link.
            (true, Some(link)) => unsafe { self.at().cast::<u32>().write_unaligned(link) },
            (false, None) => {}
            _ => {
                let next = Blob::build(link, self.name(), self.value());
                std::mem::replace(self, next).free();
            }
        }
    }

    fn name_at(&self) -> *mut u8 {
        let skip = if self.is_linked() { LINK_LEN } else { 0 };
        // SAFETY: behind the link, in the same allocation.
        unsafe { self.at().add(skip) }
    }

    #[inline]
    pub(crate) fn name(&self) -> &[u8] {
        // SAFETY: there stands the name with its length.
        unsafe { string_at(self.name_at()) }
    }

    fn value_at(&self) -> Option<*mut u8> {
        // SAFETY: the flag says that the value stands behind the name, in the same allocation.
        (self.word() & PAIR != 0).then(|| unsafe { self.name_at().add(head_len(self.name().len(), false)) })
    }

    /// The value, if there is one.
    #[inline]
    pub(crate) fn value(&self) -> Option<&[u8]> {
        // SAFETY: there stands the value with its length.
        self.value_at().map(|at| unsafe { string_at(at) })
    }

    /// Sets the value. Tells whether the element has moved for that: it does when its size class changes.
    pub(crate) fn set_value(&mut self, value: &[u8]) -> bool {
        let new = size(self.is_linked(), self.name().len(), Some(value.len()));
        match self.value_at() {
            Some(at) if good_size(new) == self.memory() => {
                // SAFETY: the allocation has room for the new value in the place of the old one.
                unsafe { write_key(at, value) };
                false
            }
            _ => {
                let next = Blob::build(self.link(), self.name(), Some(value));
                std::mem::replace(self, next).free();
                true
            }
        }
    }

    /// Bytes that the element takes, as the allocator rounds them.
    pub(crate) fn memory(&self) -> usize {
        good_size(size(self.is_linked(), self.name().len(), self.value().map(<[u8]>::len)))
    }

    /// Ends the element.
    pub(crate) fn free(self) {
        let size = self.memory();
        // SAFETY: the allocation had a size of this class, and the element is not used again.
        unsafe { release(self.at(), size) }
    }
}

fn size(linked: bool, name: usize, value: Option<usize>) -> usize {
    (if linked { LINK_LEN } else { 0 }) + head_len(name, false) + value.map_or(0, |value| head_len(value, false))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_all_lengths_come_back() {
        let lengths = [0, 1, 7, 100, 253, 254, 255, 256, 300, 70_000];
        let strings: Vec<Vec<u8>> = lengths.iter().map(|len| vec![*len as u8; *len]).collect();
        for name in &strings {
            let mut blob = Blob::pair(name, b"start");
            for (number, value) in (0..).zip(&strings) {
                blob.set_value(value);
                assert_eq!((blob.name(), blob.value(), blob.link()), (&name[..], Some(&value[..]), None));
                for link in [number, u32::MAX] {
                    blob.set_link(Some(link));
                    assert_eq!((blob.name(), blob.value(), blob.link()), (&name[..], Some(&value[..]), Some(link)));
                }
                blob.set_value(b"other");
                assert_eq!((blob.name(), blob.value(), blob.link()), (&name[..], Some(&b"other"[..]), Some(u32::MAX)));
                blob.set_link(None);
                assert_eq!((blob.name(), blob.value(), blob.link()), (&name[..], Some(&b"other"[..]), None));
            }
            blob.free();
        }
    }

    #[test]
    fn an_element_stays_where_it_is_while_its_size_class_does() {
        let mut blob = Blob::pair(b"field:123456", b"value-12345");
        assert_eq!(blob.memory(), 32);
        let before = blob.at();
        assert!(!blob.set_value(b"value-123456"));
        assert_eq!((blob.at(), blob.value()), (before, Some(&b"value-123456"[..])));
        assert!(blob.set_value(b"a value that is longer than before"));
        blob.free();
    }
}
