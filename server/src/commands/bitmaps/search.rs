//! BITCOUNT and BITPOS.

use super::with_bytes;
use crate::command::{CommandResult, Context, Error};

/// A stretch of a string as it was asked for.
#[derive(Clone, Copy)]
struct Range {
    start: i64,
    end: i64,
    in_bits: bool,
}

impl Range {
    const ALL: Range = Range { start: 0, end: -1, in_bits: false };

    /// The first and last bit in a string of so many bytes; `None` for nothing.
    fn resolve(self, bytes: usize) -> Option<(u64, u64)> {
        let len = if self.in_bits { bytes as i64 * 8 } else { bytes as i64 };
        let from_end = |at: i64| if at < 0 { len.saturating_add(at).max(0) } else { at };
        let (start, end) = (from_end(self.start), from_end(self.end).min(len - 1));
        if start > end {
            return None;
        }
        let (start, end) = (start as u64, end as u64);
        Some(if self.in_bits { (start, end) } else { (start * 8, end * 8 + 7) })
    }
}

fn unit(cx: &Context<'_>, index: usize) -> Result<bool, Error> {
    if cx.arg_is(index, "bit") {
        Ok(true)
    } else if cx.arg_is(index, "byte") {
        Ok(false)
    } else {
        Err(Error::SYNTAX)
    }
}

pub(super) fn bitcount(cx: &mut Context<'_>) -> CommandResult {
    let range = match cx.args.len() {
        2 => Range::ALL,
        4 | 5 => {
            let (start, end) = (cx.integer(2)?, cx.integer(3)?);
            Range { start, end, in_bits: cx.args.len() == 5 && unit(cx, 4)? }
        }
        _ => return Err(Error::SYNTAX),
    };
    let count = with_bytes(cx, 1, |bytes| {
        let bytes = bytes.unwrap_or_default();
        // BITPOS, unlike this, takes a reversed range before the beginning for the first byte.
        if range.start < 0 && range.end < 0 && range.start > range.end {
            return 0;
        }
        range.resolve(bytes.len()).map_or(0, |(first, last)| count_ones(bytes, first, last))
    })?;
    cx.reply.integer(count as i64);
    Ok(())
}

/// The bits that are set from `first` to `last`.
fn count_ones(bytes: &[u8], first: u64, last: u64) -> u64 {
    let (from, to) = ((first / 8) as usize, (last / 8) as usize);
    let words = bytes[from..=to].chunks_exact(8);
    let rest: u64 = words.remainder().iter().map(|byte| u64::from(byte.count_ones())).sum();
    let all: u64 =
        words.map(|word| u64::from(word.iter().fold(0u64, |all, &byte| all << 8 | u64::from(byte)).count_ones())).sum();
    // What the first and last byte hold outside of the range.
    let before = bytes[from] & !(0xff >> (first % 8));
    let after = (u16::from(bytes[to]) << (last % 8 + 1)) as u8;
    all + rest - u64::from(before.count_ones()) - u64::from(after.count_ones())
}

pub(super) fn bitpos(cx: &mut Context<'_>) -> CommandResult {
    let bit = match cx.integer(2)? {
        0 => false,
        1 => true,
        _ => return Err(Error::fixed("ERR The bit argument must be 1 or 0.")),
    };
    let argc = cx.args.len();
    if argc > 6 {
        return Err(Error::SYNTAX);
    }
    let start = if argc > 3 { cx.integer(3)? } else { 0 };
    let in_bits = argc == 6 && unit(cx, 5)?;
    let end = if argc > 4 { cx.integer(4)? } else { -1 };
    let position = with_bytes(cx, 1, |bytes| {
        let Some(bytes) = bytes else { return if bit { -1 } else { 0 } };
        let Some((first, last)) = (Range { start, end, in_bits }).resolve(bytes.len()) else { return -1 };
        match find_bit(bytes, bit, first, last) {
            Some(position) => position as i64,
            // Behind the end of a string all bits are clear, unless the end was given.
            None if !bit && argc <= 4 => bytes.len() as i64 * 8,
            None => -1,
        }
    })?;
    cx.reply.integer(position);
    Ok(())
}

/// The first bit with this value from `first` to `last`.
fn find_bit(bytes: &[u8], bit: bool, first: u64, last: u64) -> Option<u64> {
    let skip = if bit { 0x00 } else { 0xff };
    let (from, to) = ((first / 8) as usize, (last / 8) as usize);
    let differing = |byte: u8| byte ^ skip;
    let found = |index: usize, byte: u8| {
        let position = index as u64 * 8 + u64::from(byte.leading_zeros());
        (position <= last).then_some(position)
    };
    let head = differing(bytes[from]) & (0xff >> (first % 8));
    if head != 0 {
        return found(from, head);
    }
    let index = from + 1 + bytes[from + 1..=to.max(from)].iter().position(|&byte| byte != skip)?;
    found(index, differing(bytes[index]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(bytes: &[u8], first: u64, last: u64) -> Vec<bool> {
        (first..=last).map(|at| bytes[(at / 8) as usize] >> (7 - at % 8) & 1 == 1).collect()
    }

    #[test]
    fn agrees_with_looking_at_each_bit() {
        let mut state = 7u64;
        for _ in 0..3000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let len = 1 + (state >> 60) as usize;
            // Long runs of equal bits, so that searches go far.
            let bytes: Vec<u8> =
                (0..len).map(|i| [0, 0xff, (state >> 20) as u8][(state >> (2 * i)) as usize % 3]).collect();
            let first = (state >> 40) % (len as u64 * 8);
            let last = first + (state >> 50) % (len as u64 * 8 - first);
            let bits = naive(&bytes, first, last);
            assert_eq!(count_ones(&bytes, first, last), bits.iter().filter(|bit| **bit).count() as u64);
            for wanted in [true, false] {
                let expected = bits.iter().position(|bit| *bit == wanted).map(|at| at as u64 + first);
                assert_eq!(find_bit(&bytes, wanted, first, last), expected);
            }
        }
    }
}
