//! Strings in entries.

use bytes::Bytes;

use super::MAX_INLINE;

/// A string value as it lies in its entry.
#[derive(Clone, Copy)]
pub enum StrRef<'a> {
    Int(i64),
    Bytes(&'a [u8]),
}

impl<'a> StrRef<'a> {
    /// The value's bytes; an integer is written out into `digits`.
    pub fn bytes(self, digits: &'a mut itoa::Buffer) -> &'a [u8] {
        match self {
            StrRef::Int(n) => digits.format(n).as_bytes(),
            StrRef::Bytes(bytes) => bytes,
        }
    }

    pub fn len(self) -> usize {
        self.bytes(&mut itoa::Buffer::new()).len()
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A string too long for its entry.
pub(super) enum LongString {
    /// Being edited: has room to grow.
    Owned(Vec<u8>),
    /// Handed in by a client's request or out to a client's reply, and copied at the next edit if still in use.
    Shared(Bytes),
}

impl LongString {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            LongString::Owned(bytes) => bytes,
            LongString::Shared(bytes) => bytes,
        }
    }

    pub(super) fn share(&mut self) -> Bytes {
        if let LongString::Owned(bytes) = self {
            *self = LongString::Shared(std::mem::take(bytes).into());
        }
        match self {
            LongString::Shared(bytes) => bytes.clone(),
            LongString::Owned(_) => unreachable!("made shared above"),
        }
    }

    pub(super) fn edit(&mut self) -> &mut Vec<u8> {
        if let LongString::Shared(bytes) = self {
            *self = LongString::Owned(Vec::from(std::mem::take(bytes)));
        }
        match self {
            LongString::Owned(bytes) => bytes,
            LongString::Shared(_) => unreachable!("made owned above"),
        }
    }
}

/// Lengthens with zeros, with room for more once the string is long: appending byte by byte must not copy it each time.
pub(super) fn grow(string: &mut Vec<u8>, len: usize) {
    if len > string.capacity() && len > MAX_INLINE {
        string.reserve_exact(len + len / 4 - string.len());
    }
    string.resize(len, 0);
}
