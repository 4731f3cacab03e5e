//! Registers as a run of codes: so many zeros, or so many registers of one value.

use super::{Corrupt, HEADER};

/// Zeros that fit a code of one byte.
const SHORT_ZEROS: usize = 64;
/// Registers of one value in a code.
const MOST_VALUES: usize = 4;
/// The highest value that a code can tell.
const HIGHEST: u8 = 32;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Code {
    Zeros(usize),
    /// A value and how many registers have it.
    Values(u8, usize),
}

impl Code {
    /// The registers that it covers.
    pub fn len(self) -> usize {
        match self {
            Code::Zeros(len) | Code::Values(_, len) => len,
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Code::Zeros(0) | Code::Values(_, 0) => {}
            Code::Zeros(len @ ..=SHORT_ZEROS) => out.push(len as u8 - 1),
            Code::Zeros(len) => out.extend_from_slice(&[0x40 | ((len - 1) >> 8) as u8, (len - 1) as u8]),
            Code::Values(value, len) => out.push(0x80 | (value - 1) << 2 | (len as u8 - 1)),
        }
    }

    /// The code at the beginning, and its length in bytes. Half a code at the end counts as if a zero followed.
    fn read(bytes: &[u8]) -> Option<(Code, usize)> {
        match *bytes {
            [code @ 0..0x40, ..] => Some((Code::Zeros(usize::from(code) + 1), 1)),
            [code @ 0x40..0x80, low, ..] => {
                Some((Code::Zeros((usize::from(code & 0x3f) << 8 | usize::from(low)) + 1), 2))
            }
            [code @ 0x40..0x80] => Some((Code::Zeros((usize::from(code & 0x3f) << 8) + 1), 1)),
            [code @ 0x80..=0xff, ..] => Some((Code::Values((code >> 2 & 0x1f) + 1, usize::from(code & 3) + 1), 1)),
            _ => None,
        }
    }
}

/// The codes with their offsets.
pub(super) fn codes(bytes: &[u8]) -> impl Iterator<Item = (Code, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (code, len) = Code::read(&bytes[at..])?;
        let offset = at;
        at += len;
        Some((code, offset))
    })
}

/// Sets a register, if that is higher than what is there, and tells whether it was. `None` if a sparse one cannot hold
/// it or would be longer than `longest`. The codes come out just as in Redis.
pub(super) fn raise(bytes: &mut Vec<u8>, index: usize, value: u8, longest: usize) -> Result<Option<bool>, Corrupt> {
    if value > HIGHEST {
        return Ok(None);
    }
    let (mut first, mut previous) = (0, None);
    let mut found = None;
    for (code, offset) in codes(&bytes[HEADER..]) {
        if index < first + code.len() {
            found = Some((code, HEADER + offset));
            break;
        }
        previous = Some(HEADER + offset);
        first += code.len();
    }
    let (code, at) = found.ok_or(Corrupt)?;
    let (before, behind) = (index - first, first + code.len() - 1 - index);
    let mut parts = Vec::with_capacity(5);
    match code {
        Code::Values(old, _) if old >= value => return Ok(Some(false)),
        Code::Values(old, _) => {
            Code::Values(old, before).write(&mut parts);
            Code::Values(value, 1).write(&mut parts);
            Code::Values(old, behind).write(&mut parts);
        }
        Code::Zeros(_) => {
            Code::Zeros(before).write(&mut parts);
            Code::Values(value, 1).write(&mut parts);
            Code::Zeros(behind).write(&mut parts);
        }
    }
    let old_len = Code::read(&bytes[at..]).map_or(1, |(_, len)| len);
    if parts.len() > old_len && bytes.len() + parts.len() - old_len > longest {
        return Ok(None);
    }
    bytes.splice(at..at + old_len, parts);
    merge_neighbours(bytes, previous.unwrap_or(HEADER));
    Ok(Some(true))
}

/// Joins codes of the same value, looking at five from the one at `at` on.
fn merge_neighbours(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..5 {
        let Some((code, len)) = Code::read(&bytes[at..]) else { return };
        let next = Code::read(&bytes[at + len..]);
        match (code, next) {
            (Code::Values(value, one), Some((Code::Values(other, two), _)))
                if value == other && one + two <= MOST_VALUES =>
            {
                bytes.remove(at);
                bytes[at] = 0x80 | (value - 1) << 2 | (one + two - 1) as u8;
            }
            _ => at += len,
        }
    }
}
