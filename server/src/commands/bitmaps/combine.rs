//! BITOP.

use storage::{Event, Free, NewValue, Ttl};

use super::bytes_of;
use crate::command::{CommandResult, Context, Error};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operation {
    And,
    Or,
    Xor,
    Not,
    /// In the first and in no other.
    Diff,
    /// In another and not in the first.
    Diff1,
    /// In the first and in another.
    AndOr,
    /// In exactly one.
    One,
}

impl Operation {
    fn parse(word: &[u8]) -> Option<Operation> {
        Some(match word.to_ascii_lowercase().as_slice() {
            b"and" => Operation::And,
            b"or" => Operation::Or,
            b"xor" => Operation::Xor,
            b"not" => Operation::Not,
            b"diff" => Operation::Diff,
            b"diff1" => Operation::Diff1,
            b"andor" => Operation::AndOr,
            b"one" => Operation::One,
            _ => return None,
        })
    }
}

pub(super) fn bitop(cx: &mut Context<'_>) -> CommandResult {
    let operation = Operation::parse(cx.arg(1)).ok_or(Error::SYNTAX)?;
    let sources = cx.args.len() - 3;
    if operation == Operation::Not && sources != 1 {
        return Err(Error::fixed("ERR BITOP NOT must be called with a single source key."));
    }
    if matches!(operation, Operation::Diff | Operation::Diff1 | Operation::AndOr) && sources < 2 {
        let name = format!("{operation:?}").to_ascii_uppercase();
        return Err(Error::new(format!("ERR BITOP {name} must be called with at least two source keys.")));
    }
    let sources = (3..cx.args.len()).map(|index| Ok(bytes_of(cx, index)?.unwrap_or_default()));
    let sources: Vec<Vec<u8>> = sources.collect::<Result<_, Error>>()?;
    let combined = combine(operation, &sources);
    let key = cx.key(2);
    let len = combined.len();
    if len == 0 {
        cx.db.remove(&key, Free::Now, Event::DEL);
    } else {
        cx.db.set(&key, NewValue::Grown(combined), Ttl::Clear, Event::SET);
    }
    cx.reply.integer(len as i64);
    Ok(())
}

/// The result, as long as the longest source; shorter ones are continued with zeros.
fn combine(operation: Operation, sources: &[Vec<u8>]) -> Vec<u8> {
    let len = sources.iter().map(Vec::len).max().unwrap_or(0);
    let (first, others) = sources.split_first().map_or((&[][..], &[][..]), |(first, others)| (&first[..], others));
    let mut result = first.to_vec();
    result.resize(len, 0);
    let or_of_others = || {
        let mut all = vec![0; len];
        others.iter().for_each(|other| fold(&mut all, other, |a, b| a | b));
        all
    };
    match operation {
        Operation::Not => result.iter_mut().for_each(|byte| *byte = !*byte),
        Operation::And => {
            for other in others {
                fold(&mut result, other, |a, b| a & b);
                result[other.len()..].fill(0);
            }
        }
        Operation::Or => others.iter().for_each(|other| fold(&mut result, other, |a, b| a | b)),
        Operation::Xor => others.iter().for_each(|other| fold(&mut result, other, |a, b| a ^ b)),
        Operation::Diff => fold(&mut result, &or_of_others(), |a, b| a & !b),
        Operation::Diff1 => fold(&mut result, &or_of_others(), |a, b| !a & b),
        Operation::AndOr => fold(&mut result, &or_of_others(), |a, b| a & b),
        Operation::One => {
            let mut twice = vec![0; len];
            for other in others {
                for ((seen, twice), byte) in result.iter_mut().zip(&mut twice).zip(other) {
                    *twice |= *seen & byte;
                    *seen |= byte;
                }
            }
            fold(&mut result, &twice, |a, b| a & !b);
        }
    }
    result
}

/// Byte by byte, which the compiler turns into wide operations.
fn fold(into: &mut [u8], other: &[u8], operation: impl Fn(u8, u8) -> u8) {
    for (a, b) in into.iter_mut().zip(other) {
        *a = operation(*a, *b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_bit_by_bit() {
        let sources = [vec![0b1111_0000u8, 0xff], vec![0b1100_1100], vec![0b1010_1010]];
        let expect = |operation, bytes: [u8; 2]| assert_eq!(combine(operation, &sources), bytes, "{operation:?}");
        expect(Operation::And, [0b1000_0000, 0]);
        expect(Operation::Or, [0b1111_1110, 0xff]);
        expect(Operation::Xor, [0b1001_0110, 0xff]);
        expect(Operation::Diff, [0b0001_0000, 0xff]);
        expect(Operation::Diff1, [0b0000_1110, 0]);
        expect(Operation::AndOr, [0b1110_0000, 0]);
        expect(Operation::One, [0b0001_0110, 0xff]);
        assert_eq!(combine(Operation::Not, &sources[..1]), [0b0000_1111, 0]);
    }
}
