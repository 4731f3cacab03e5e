//! BITFIELD: integers of any width at any bit.

use protocol::Args;
use storage::Event;

use super::{bit_offset, string_of};
use crate::command::{CommandResult, Context, Error, KeyFlags};
use crate::set;

/// The type of an integer: its width and whether it has a sign.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Int {
    signed: bool,
    bits: u32,
}

/// What becomes of a number that does not fit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

enum Action {
    Get,
    Set(i64),
    Add(i64),
}

struct Operation {
    int: Int,
    offset: u64,
    overflow: Overflow,
    action: Action,
}

impl Int {
    fn parse(text: &[u8]) -> Result<Int, Error> {
        const INVALID: Error = Error::fixed(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
        );
        let (signed, digits) = match text {
            [b'i', digits @ ..] => (true, digits),
            [b'u', digits @ ..] => (false, digits),
            _ => return Err(INVALID),
        };
        match protocol::parse_i64(digits) {
            Some(bits @ 1..=64) if signed || bits < 64 => Ok(Int { signed, bits: bits as u32 }),
            _ => Err(INVALID),
        }
    }

    /// What fits: the smallest and largest number.
    fn bounds(self) -> (i128, i128) {
        if self.signed { (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1) } else { (0, (1 << self.bits) - 1) }
    }

    /// The number that the lowest bits of another stand for.
    fn truncate(self, number: i128) -> i64 {
        let low = (number as u64) << (64 - self.bits);
        if self.signed { low as i64 >> (64 - self.bits) } else { (low >> (64 - self.bits)) as i64 }
    }

    /// A number made to fit; `None` where it is to fail.
    fn fit(self, number: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = self.bounds();
        if (min..=max).contains(&number) {
            return Some(number as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.truncate(number)),
            Overflow::Saturate => Some(if number > max { max } else { min } as i64),
            Overflow::Fail => None,
        }
    }

    fn read(self, bytes: &[u8], offset: u64) -> i64 {
        let number = (offset..offset + u64::from(self.bits)).fold(0u64, |number, at| {
            let byte = bytes.get((at >> 3) as usize).copied().unwrap_or(0);
            number << 1 | u64::from(byte >> (7 - (at & 7)) & 1)
        });
        self.truncate(number.into())
    }

    fn write(self, bytes: &mut [u8], offset: u64, number: i64) {
        for index in 0..u64::from(self.bits) {
            let bit = (number >> (u64::from(self.bits) - 1 - index)) as u8 & 1;
            let (byte, shift) = (((offset + index) >> 3) as usize, 7 - ((offset + index) & 7));
            bytes[byte] = bytes[byte] & !(1 << shift) | bit << shift;
        }
    }
}

/// BITFIELD only reads if all that it is told is to get. What makes no sense counts as a write.
pub(super) fn key_flags(args: Args<'_>) -> KeyFlags {
    let mut at = 2;
    let mut writes = false;
    while at < args.len() && !writes {
        match args[at].to_ascii_lowercase().as_slice() {
            b"get" if at + 2 < args.len() => at += 3,
            b"overflow" if at + 1 < args.len() => at += 2,
            _ => writes = true,
        }
    }
    if writes { set!(KeyFlags: RW | ACCESS | UPDATE) } else { set!(KeyFlags: RO | ACCESS) }
}

pub(super) fn bitfield(cx: &mut Context<'_>) -> CommandResult {
    let operations = parse(cx)?;
    let key = cx.key(1);
    if let Some(entry) = cx.db.peek(&key) {
        string_of(&entry)?;
    }
    let writes = operations.iter().filter(|operation| !matches!(operation.action, Action::Get));
    let end = writes.map(|operation| (operation.offset + u64::from(operation.int.bits)).div_ceil(8) as usize).max();
    let Some(end) = end else { return read_all(cx, &operations) };
    let old_len = match cx.db.peek(&key) {
        Some(entry) => string_of(&entry)?.len(),
        None => 0,
    };
    let dirty = cx.db.effects.dirty;
    let (mut written, mut changed) = (0, 0);
    let results = cx.db.edit(&key, end, Event::SETBIT, |bytes| {
        let mut results = Vec::with_capacity(operations.len());
        for operation in &operations {
            let (result, change) = carry_out(operation, bytes);
            written += u64::from(change.is_some());
            changed += u64::from(change == Some(true));
            results.push(result);
        }
        (results, changed > 0)
    })?;
    // Each part that changes counts, and each that is written where the string grows.
    if cx.db.effects.dirty > dirty {
        cx.db.effects.dirty = dirty + if old_len < end { written } else { changed };
    }
    reply(cx, &results);
    Ok(())
}

pub(super) fn bitfield_ro(cx: &mut Context<'_>) -> CommandResult {
    let operations = parse(cx)?;
    if operations.iter().any(|operation| !matches!(operation.action, Action::Get)) {
        return Err(Error::fixed("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    read_all(cx, &operations)
}

fn read_all(cx: &mut Context<'_>, operations: &[Operation]) -> CommandResult {
    let results = super::with_bytes(cx, 1, |bytes| {
        let bytes = bytes.unwrap_or_default();
        operations.iter().map(|operation| Some(operation.int.read(bytes, operation.offset))).collect::<Vec<_>>()
    })?;
    reply(cx, &results);
    Ok(())
}

/// Does one operation on the string. Returns its answer and, if it wrote, whether that changed a bit.
fn carry_out(operation: &Operation, bytes: &mut [u8]) -> (Option<i64>, Option<bool>) {
    let Operation { int, offset, overflow, action } = operation;
    let old = int.read(bytes, *offset);
    let (wanted, answer_old) = match *action {
        Action::Get => return (Some(old), None),
        // An unsigned integer takes a negative number for the huge one with the same bits.
        Action::Set(number) if !int.signed => (i128::from(number as u64), true),
        Action::Set(number) => (number.into(), true),
        Action::Add(amount) => (i128::from(old) + i128::from(amount), false),
    };
    let Some(new) = int.fit(wanted, *overflow) else { return (None, None) };
    int.write(bytes, *offset, new);
    (Some(if answer_old { old } else { new }), Some(new != old))
}

fn reply(cx: &mut Context<'_>, results: &[Option<i64>]) {
    cx.reply.array(results.len());
    for result in results {
        match result {
            Some(number) => cx.reply.integer(*number),
            None => cx.reply.null(),
        }
    }
}

fn parse(cx: &Context<'_>) -> Result<Vec<Operation>, Error> {
    let mut operations = Vec::new();
    let mut overflow = Overflow::Wrap;
    let mut index = 2;
    while index < cx.args.len() {
        let left = cx.args.len() - index - 1;
        if cx.arg_is(index, "overflow") && left >= 1 {
            overflow = match cx.arg(index + 1).to_ascii_lowercase().as_slice() {
                b"wrap" => Overflow::Wrap,
                b"sat" => Overflow::Saturate,
                b"fail" => Overflow::Fail,
                _ => return Err(Error::fixed("ERR Invalid OVERFLOW type specified")),
            };
            index += 2;
            continue;
        }
        let word = cx.arg(index).to_ascii_lowercase();
        let takes = match word.as_slice() {
            b"get" if left >= 2 => 2,
            b"set" | b"incrby" if left >= 3 => 3,
            _ => return Err(Error::SYNTAX),
        };
        let int = Int::parse(cx.arg(index + 1))?;
        let offset = bit_offset(cx, index + 2, Some(int.bits))?;
        let action = match word.as_slice() {
            b"get" => Action::Get,
            b"set" => Action::Set(cx.integer(index + 3)?),
            _ => Action::Add(cx.integer(index + 3)?),
        };
        operations.push(Operation { int, offset, overflow, action });
        index += 1 + takes;
    }
    Ok(operations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = vec![0xa5; 20];
        for (int, number) in [
            (Int { signed: true, bits: 64 }, i64::MIN),
            (Int { signed: true, bits: 5 }, -16),
            (Int { signed: false, bits: 63 }, i64::MAX),
            (Int { signed: false, bits: 1 }, 1),
        ] {
            for offset in 0..20 {
                int.write(&mut bytes, offset, number);
                assert_eq!(int.read(&bytes, offset), number);
            }
        }
    }

    #[test]
    fn numbers_are_made_to_fit() {
        let byte = Int { signed: true, bits: 8 };
        assert_eq!(byte.fit(128, Overflow::Wrap), Some(-128));
        assert_eq!(byte.fit(-129, Overflow::Saturate), Some(-128));
        assert_eq!(byte.fit(300, Overflow::Fail), None);
        let wide = Int { signed: true, bits: 64 };
        assert_eq!(wide.fit(i128::from(i64::MAX) + 1, Overflow::Wrap), Some(i64::MIN));
    }
}
