//! One entry of a listpack: its encoding, its data, and its length once more behind it, for walking backwards.

/// A value in a listpack: integers are stored as such, whatever they were handed in as.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Item<'a> {
    Int(i64),
    Str(&'a [u8]),
}

impl<'a> Item<'a> {
    /// What a text is stored as: an integer where it is the canonical form of one.
    #[inline]
    pub fn from_text(text: &'a [u8]) -> Item<'a> {
        match parse_canonical(text) {
            Some(number) => Item::Int(number),
            None => Item::Str(text),
        }
    }

    /// Whether the value is stored as its text would be, and so can be found by it.
    pub(crate) fn is_canonical(self) -> bool {
        match self {
            Item::Int(_) => true,
            Item::Str(text) => parse_canonical(text).is_none(),
        }
    }

    /// The value's text; an integer is written out into `digits`.
    #[inline]
    pub fn bytes<'b>(self, digits: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Item::Int(number) => digits.format(number).as_bytes(),
            Item::Str(text) => text,
        }
    }

    /// The value's text in a buffer of its own.
    pub fn to_vec(self) -> Vec<u8> {
        self.bytes(&mut itoa::Buffer::new()).to_vec()
    }

    /// Bytes of the value's text.
    pub fn text_len(self) -> usize {
        self.bytes(&mut itoa::Buffer::new()).len()
    }

    /// Bytes of the entry that holds the value.
    pub(super) fn entry_len(self) -> usize {
        let len = self.encoded_len();
        len + back_len_size(len)
    }

    fn encoded_len(self) -> usize {
        match self {
            Item::Int(0..=127) => 1,
            Item::Int(-4096..=4095) => 2,
            Item::Int(number) if i16::try_from(number).is_ok() => 3,
            Item::Int(-0x80_0000..=0x7f_ffff) => 4,
            Item::Int(number) if i32::try_from(number).is_ok() => 5,
            Item::Int(_) => 9,
            Item::Str(text) => match text.len() {
                len @ 0..64 => 1 + len,
                len @ 64..4096 => 2 + len,
                len => 5 + len,
            },
        }
    }

    /// Writes the entry into `out`, which is [`Item::entry_len`] bytes long.
    pub(super) fn write(self, out: &mut [u8]) {
        let len = self.encoded_len();
        let (data, back) = out.split_at_mut(len);
        match self {
            Item::Int(number @ 0..=127) => data[0] = number as u8,
            Item::Int(number @ -4096..=4095) => {
                let bits = (number & 0x1fff) as u16;
                data.copy_from_slice(&[0xc0 | (bits >> 8) as u8, bits as u8]);
            }
            Item::Int(number) => {
                data[0] = match len {
                    3 => 0xf1,
                    4 => 0xf2,
                    5 => 0xf3,
                    _ => 0xf4,
                };
                data[1..].copy_from_slice(&number.to_le_bytes()[..len - 1]);
            }
            Item::Str(text) => {
                let header = len - text.len();
                match header {
                    1 => data[0] = 0x80 | text.len() as u8,
                    2 => {
                        data[0] = 0xe0 | (text.len() >> 8) as u8;
                        data[1] = text.len() as u8;
                    }
                    _ => {
                        data[0] = 0xf0;
                        data[1..5].copy_from_slice(&(text.len() as u32).to_le_bytes());
                    }
                }
                data[header..].copy_from_slice(text);
            }
        }
        write_back_len(len, back);
    }
}

/// An integer in its one canonical form: no plus, no zeros in front, no minus zero.
#[inline]
pub fn parse_canonical(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] => return if negative { None } else { Some(0) },
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut value: u64 = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Nineteen digits fit.
        value = value * 10 + u64::from(digit);
    }
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// Bytes that the length behind an entry of `len` bytes takes. Redis takes another one a little earlier than it must.
fn back_len_size(len: usize) -> usize {
    match len {
        0..=0x7f => 1,
        0x80..0x3fff => 2,
        0x3fff..0x1f_ffff => 3,
        0x1f_ffff..0xfff_ffff => 4,
        _ => 5,
    }
}

/// The length in groups of seven bits, the highest first; all but the first carry a mark, so that it can be read from
/// its end.
fn write_back_len(len: usize, out: &mut [u8]) {
    let count = out.len();
    for (at, byte) in out.iter_mut().enumerate() {
        let bits = (len >> (7 * (count - 1 - at))) as u8 & 0x7f;
        *byte = if at == 0 { bits } else { bits | 0x80 };
    }
}

/// The item at `at`, and where the next one starts. `None` where there is none, or what is there makes no sense.
#[inline]
pub(super) fn read(bytes: &[u8], at: usize) -> Option<(Item<'_>, usize)> {
    let (item, len) = decode(bytes, at)?;
    Some((item, at + len + back_len_size(len)))
}

/// Where the entry that starts at `at` ends, if all of it is as it must be. Only an integer may take more bytes than
/// it needs.
pub(super) fn check(bytes: &[u8], at: usize) -> Option<usize> {
    let (_, len) = decode(bytes, at)?;
    let (behind, mut back) = (at + len, [0; 5]);
    let back = &mut back[..back_len_size(len)];
    write_back_len(len, back);
    bytes.get(behind..)?.starts_with(back).then_some(behind + back.len())
}

/// The item at `at`, and the length of its encoding.
#[inline]
fn decode(bytes: &[u8], at: usize) -> Option<(Item<'_>, usize)> {
    let rest = bytes.get(at..)?;
    Some(match *rest {
        [first @ 0..=0x7f, ..] => (Item::Int(i64::from(first)), 1),
        [first @ 0x80..=0xbf, ..] => {
            let len = usize::from(first & 0x3f);
            (Item::Str(rest.get(1..1 + len)?), 1 + len)
        }
        [first @ 0xc0..=0xdf, second, ..] => {
            let bits = (u16::from(first & 0x1f) << 8 | u16::from(second)) << 3;
            (Item::Int(i64::from(bits as i16 >> 3)), 2)
        }
        [first @ 0xe0..=0xef, second, ..] => {
            let len = usize::from(first & 0x0f) << 8 | usize::from(second);
            (Item::Str(rest.get(2..2 + len)?), 2 + len)
        }
        [0xf0, a, b, c, d, ..] => {
            let len = u32::from_le_bytes([a, b, c, d]) as usize;
            (Item::Str(rest.get(5..5usize.checked_add(len)?)?), 5 + len)
        }
        [0xf1, a, b, ..] => (Item::Int(i16::from_le_bytes([a, b]).into()), 3),
        [0xf2, a, b, c, ..] => (Item::Int((i32::from_le_bytes([0, a, b, c]) >> 8).into()), 4),
        [0xf3, a, b, c, d, ..] => (Item::Int(i32::from_le_bytes([a, b, c, d]).into()), 5),
        [0xf4, a, b, c, d, e, f, g, h, ..] => (Item::Int(i64::from_le_bytes([a, b, c, d, e, f, g, h])), 9),
        _ => return None,
    })
}

/// Where the entry that ends before `at` starts.
#[inline]
pub(super) fn read_back(bytes: &[u8], at: usize) -> Option<usize> {
    let mut len = 0usize;
    for count in 0..5 {
        let byte = *bytes.get(at.checked_sub(count + 1)?)?;
        len |= usize::from(byte & 0x7f) << (7 * count);
        if byte & 0x80 == 0 {
            return at.checked_sub(len + count + 1);
        }
    }
    None
}
