//! Numbers and strings in bytes that come from outside.

use std::borrow::Cow;

use super::{Error, encoding, lzf};

/// Longer strings cannot be held: they would have no place in a collection.
const LONGEST: u64 = u32::MAX as u64;

/// A place in bytes, which moves on as they are read.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What stands where a length does.
enum Length {
    Plain(u64),
    /// A string in another form.
    Encoded(u8),
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// So many bytes.
    pub fn take(&mut self, count: u64) -> Result<&'a [u8], Error> {
        let end = usize::try_from(count).ok().and_then(|count| self.at.checked_add(count)).ok_or(Error::Truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or(Error::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.take(N as u64)?.try_into().map_err(|_| Error::Truncated)
    }

    pub fn byte(&mut self) -> Result<u8, Error> {
        self.array().map(|[byte]| byte)
    }

    /// A 32-bit number, the lowest byte first.
    pub fn int32(&mut self) -> Result<i32, Error> {
        self.array().map(i32::from_le_bytes)
    }

    /// A 64-bit number, the lowest byte first.
    pub fn int64(&mut self) -> Result<i64, Error> {
        self.array().map(i64::from_le_bytes)
    }

    /// A 64-bit number, the highest byte first, as the IDs of streams are written.
    pub fn big_endian(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_be_bytes)
    }

    /// A floating-point number in its eight bytes.
    pub fn double(&mut self) -> Result<f64, Error> {
        self.array().map(f64::from_le_bytes)
    }

    /// A floating-point number as a short text, as the first snapshots had them.
    pub fn text_double(&mut self) -> Result<f64, Error> {
        let length = match self.byte()? {
            255 => return Ok(f64::NEG_INFINITY),
            254 => return Ok(f64::INFINITY),
            253 => return Ok(f64::NAN),
            length => length,
        };
        let text = std::str::from_utf8(self.take(length.into())?).ok();
        text.and_then(|text| text.trim().parse().ok()).ok_or(Error::Corrupt("Invalid double value"))
    }

    fn length(&mut self) -> Result<Length, Error> {
        let first = self.byte()?;
        Ok(match (first >> 6, first) {
            (0, _) => Length::Plain((first & 0x3f).into()),
            (1, _) => Length::Plain(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            (2, 0x80) => Length::Plain(u32::from_be_bytes(self.array()?).into()),
            (2, 0x81) => Length::Plain(self.big_endian()?),
            (2, _) => return Err(Error::Corrupt("Unknown length encoding")),
            _ => Length::Encoded(first & 0x3f),
        })
    }

    /// A length, a count or another number that is not below zero.
    pub fn count(&mut self) -> Result<u64, Error> {
        match self.length()? {
            Length::Plain(count) => Ok(count),
            Length::Encoded(_) => Err(Error::Corrupt("String in the place of a length")),
        }
    }

    /// The number of elements of a collection, which has some.
    pub fn elements(&mut self) -> Result<u64, Error> {
        match self.count()? {
            0 => Err(Error::Empty),
            count => Ok(count),
        }
    }

    /// Moves behind a string.
    pub fn skip_string(&mut self) -> Result<(), Error> {
        let length = match self.length()? {
            Length::Plain(length) => length,
            Length::Encoded(encoding::LZF) => {
                let packed = self.count()?;
                self.count()?;
                packed
            }
            Length::Encoded(encoding::INT8) => 1,
            Length::Encoded(encoding::INT16) => 2,
            Length::Encoded(encoding::INT32) => 4,
            Length::Encoded(_) => return Err(Error::Corrupt("Unknown string encoding")),
        };
        self.take(length).map(drop)
    }

    /// A string, copied only if it is not written as it is.
    pub fn string(&mut self) -> Result<Cow<'a, [u8]>, Error> {
        const TOO_LONG: Error = Error::Corrupt("String too long");
        let number = match self.length()? {
            Length::Plain(length) if length > LONGEST => return Err(TOO_LONG),
            Length::Plain(length) => return self.take(length).map(Cow::Borrowed),
            Length::Encoded(encoding::LZF) => {
                let (packed, length) = (self.count()?, self.count()?);
                let packed = self.take(packed)?;
                let length = usize::try_from(length).ok().filter(|_| length <= LONGEST).ok_or(TOO_LONG)?;
                return lzf::decompress(packed, length).map(Cow::Owned);
            }
            Length::Encoded(encoding::INT8) => i32::from(self.array().map(i8::from_le_bytes)?),
            Length::Encoded(encoding::INT16) => i32::from(self.array().map(i16::from_le_bytes)?),
            Length::Encoded(encoding::INT32) => self.int32()?,
            Length::Encoded(_) => return Err(Error::Corrupt("Unknown string encoding")),
        };
        Ok(Cow::Owned(itoa::Buffer::new().format(number).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_strings() {
        let mut cursor = Cursor::new(b"\x05\x41\x02\x80\0\x01\0\0\x81\0\0\0\x01\0\0\0\0");
        assert_eq!([(); 4].map(|()| cursor.count().unwrap()), [5, 258, 65536, 1 << 32]);
        assert_eq!((cursor.left(), cursor.count()), (0, Err(Error::Truncated)));
        let mut cursor =
            Cursor::new(b"\x02ab\xc0\xfe\xc1\x00\x01\xc2\x00\x00\x00\x80\xc3\x09\x40\x64\x01aa\xe0\x57\x00\x01aa");
        let strings: Vec<_> = std::iter::from_fn(|| cursor.string().ok()).collect();
        assert_eq!(strings, [&b"ab"[..], b"-2", b"256", b"-2147483648", &[b'a'; 100]]);
    }

    #[test]
    fn what_is_claimed_makes_no_room() {
        for bytes in
            [&b"\x81\xff\xff\xff\xff\xff\xff\xff\xff"[..], b"\xc3\x01\x80\xff\xff\xff\xff\x00", b"\x82", b"\xc4"]
        {
            assert!(Cursor::new(bytes).string().is_err());
        }
    }

    #[test]
    fn numbers_as_text() {
        let mut cursor = Cursor::new(b"\x033.5\x051e+20\xff\xfe\xfd\x01x");
        assert_eq!([(); 4].map(|()| cursor.text_double().unwrap()), [3.5, 1e20, f64::NEG_INFINITY, f64::INFINITY]);
        assert!(cursor.text_double().unwrap().is_nan());
        assert!(cursor.text_double().is_err());
    }
}
