//! Numbers and strings on their way out.

use super::{encoding, lzf};
use crate::listpack::{Item, parse_canonical};

/// Where bytes go. What goes wrong there is told by the owner when all has been handed over.
pub trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Strings up to this length are not worth compressing.
const LEAST_COMPRESSED: usize = 20;

/// Writes values.
pub struct Writer<'s, S> {
    sink: &'s mut S,
    /// Whether strings are compressed where that makes them shorter.
    compress: bool,
}

impl<'s, S: Sink> Writer<'s, S> {
    pub fn new(sink: &'s mut S, compress: bool) -> Writer<'s, S> {
        Writer { sink, compress }
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.sink.put(bytes);
    }

    pub fn byte(&mut self, byte: u8) {
        self.sink.put(&[byte]);
    }

    /// A 64-bit number, the lowest byte first.
    pub fn int64(&mut self, number: i64) {
        self.sink.put(&number.to_le_bytes());
    }

    /// A floating-point number in its eight bytes.
    pub fn double(&mut self, number: f64) {
        self.sink.put(&number.to_le_bytes());
    }

    /// A length, a count or another number that is not below zero.
    pub fn count(&mut self, count: u64) {
        match (u16::try_from(count), u32::try_from(count)) {
            (Ok(count @ 0..64), _) => self.byte(count as u8),
            (Ok(count @ 64..0x4000), _) => self.bytes(&(count | 0x4000).to_be_bytes()),
            (_, Ok(count)) => {
                self.byte(0x80);
                self.bytes(&count.to_be_bytes());
            }
            _ => {
                self.byte(0x81);
                self.bytes(&count.to_be_bytes());
            }
        }
    }

    pub fn len(&mut self, len: usize) {
        self.count(len as u64);
    }

    /// A string, in the shortest form.
    pub fn string(&mut self, text: &[u8]) {
        match parse_canonical(text).and_then(|number| i32::try_from(number).ok()) {
            Some(number) => self.int(number),
            None => self.raw(text),
        }
    }

    /// An element of a listpack, as a string.
    pub fn item(&mut self, item: Item<'_>) {
        match item {
            Item::Str(text) => self.string(text),
            Item::Int(number) => match i32::try_from(number) {
                Ok(number) => self.int(number),
                Err(_) => self.raw(itoa::Buffer::new().format(number).as_bytes()),
            },
        }
    }

    /// A string that is a number.
    fn int(&mut self, number: i32) {
        let (form, bytes) = (0xc0, number.to_le_bytes());
        let (form, bytes) = if i8::try_from(number).is_ok() {
            (form | encoding::INT8, &bytes[..1])
        } else if i16::try_from(number).is_ok() {
            (form | encoding::INT16, &bytes[..2])
        } else {
            (form | encoding::INT32, &bytes[..])
        };
        self.byte(form);
        self.bytes(bytes);
    }

    /// A string that is no number, or one that is not to be taken for it.
    pub fn raw(&mut self, text: &[u8]) {
        if self.compress
            && text.len() > LEAST_COMPRESSED
            && let Some(packed) = lzf::compress(text, text.len() - 4)
        {
            self.byte(0xc0 | encoding::LZF);
            self.len(packed.len());
            self.len(text.len());
            return self.bytes(&packed);
        }
        self.len(text.len());
        self.bytes(text);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Cursor;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bytes_are_those_of_redis() {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, true);
        for text in [&b"ab"[..], b"-2", b"256", b"-2147483648", b"2147483648", b"01"] {
            writer.string(text);
        }
        assert_eq!(out, b"\x02ab\xc0\xfe\xc1\x00\x01\xc2\x00\x00\x00\x80\x0a2147483648\x0201");
    }

    proptest! {
        #[test]
        fn counts(count: u64, shift in 0u32..64) {
            let mut out = Vec::new();
            Writer::new(&mut out, false).count(count >> shift);
            prop_assert_eq!(Cursor::new(&out).count(), Ok(count >> shift));
        }

        #[test]
        fn strings(text in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..100),
            prop::collection::vec(b'a'..=b'c', 0..2000),
            any::<i64>().prop_map(|number| number.to_string().into_bytes()),
            any::<i32>().prop_map(|number| number.to_string().into_bytes()),
        ], compress: bool) {
            let mut out = Vec::new();
            Writer::new(&mut out, compress).string(&text);
            let mut cursor = Cursor::new(&out);
            prop_assert_eq!(cursor.string().map(|text| text.into_owned()), Ok(text));
            prop_assert_eq!(cursor.left(), 0);
        }
    }
}
