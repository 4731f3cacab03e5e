//! IDs as clients write them, and entries as they are sent.

use protocol::Reply;
use smallvec::SmallVec;
use storage::stream::{Entry, StreamId};

use crate::command::{Context, Error};
use crate::commands::elements::reply_item;

const INVALID: Error = Error::fixed("ERR Invalid stream ID specified as stream command argument");

/// An ID's second part.
#[derive(Clone, Copy)]
enum Seq {
    Given(u64),
    Missing,
    /// `*`: to be chosen.
    Open,
}

/// An ID that may leave its second part to the server, as XADD takes it.
#[derive(Clone, Copy)]
pub(super) enum NewId {
    Given(StreamId),
    /// Only the milliseconds.
    At(u64),
}

/// The argument at `index` as an ID; `seq` is its second part if there is only one.
pub(super) fn parse(cx: &Context<'_>, index: usize, seq: u64) -> Result<StreamId, Error> {
    parse_text(cx.arg(index), seq).ok_or(INVALID)
}

/// The same, but `-` and `+` are no IDs.
pub(super) fn parse_strict(cx: &Context<'_>, index: usize) -> Result<StreamId, Error> {
    parse_strict_text(cx.arg(index)).ok_or(INVALID)
}

/// The arguments from `from` up to `to`, all of them IDs.
pub(super) fn parse_all(cx: &Context<'_>, from: usize, to: usize) -> Result<Vec<StreamId>, Error> {
    (from..to).map(|index| parse_strict(cx, index)).collect()
}

pub(super) fn parse_new(cx: &Context<'_>, index: usize) -> Result<NewId, Error> {
    match parts(cx.arg(index)).ok_or(INVALID)? {
        (ms, Seq::Given(seq)) => Ok(NewId::Given(StreamId::new(ms, seq))),
        (ms, Seq::Missing) => Ok(NewId::Given(StreamId::new(ms, 0))),
        (ms, Seq::Open) => Ok(NewId::At(ms)),
    }
}

/// The argument at `index` as the first ID of a range, which may exclude the one that it names.
pub(super) fn range_start(cx: &Context<'_>, index: usize) -> Result<StreamId, Error> {
    match excluded(cx.arg(index)) {
        None => parse(cx, index, 0),
        Some(text) => {
            parse_strict_text(text).ok_or(INVALID)?.next().ok_or(Error::fixed("ERR invalid start ID for the interval"))
        }
    }
}

/// The argument at `index` as the last ID of a range, which may exclude the one that it names.
pub(super) fn range_end(cx: &Context<'_>, index: usize) -> Result<StreamId, Error> {
    match excluded(cx.arg(index)) {
        None => parse(cx, index, u64::MAX),
        Some(text) => strict_with(text, u64::MAX)
            .ok_or(INVALID)?
            .previous()
            .ok_or(Error::fixed("ERR invalid end ID for the interval")),
    }
}

fn excluded(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"(").filter(|rest| !rest.is_empty())
}

fn parse_text(text: &[u8], seq: u64) -> Option<StreamId> {
    match c_string(text)? {
        b"-" => Some(StreamId::MIN),
        b"+" => Some(StreamId::MAX),
        text => strict_with(text, seq),
    }
}

pub(super) fn parse_strict_text(text: &[u8]) -> Option<StreamId> {
    strict_with(text, 0)
}

fn strict_with(text: &[u8], missing: u64) -> Option<StreamId> {
    match parts(text)? {
        (ms, Seq::Given(seq)) => Some(StreamId::new(ms, seq)),
        (ms, Seq::Missing) => Some(StreamId::new(ms, missing)),
        (_, Seq::Open) => None,
    }
}

fn parts(text: &[u8]) -> Option<(u64, Seq)> {
    let text = c_string(text)?;
    match text.iter().position(|byte| *byte == b'-') {
        None => Some((number(text)?, Seq::Missing)),
        Some(dash) => {
            let (ms, seq) = (number(&text[..dash])?, &text[dash + 1..]);
            Some((ms, if seq == b"*" { Seq::Open } else { Seq::Given(number(seq)?) }))
        }
    }
}

/// What Redis sees of an ID: nothing from a NUL on, and nothing at all of long texts.
fn c_string(text: &[u8]) -> Option<&[u8]> {
    const LONGEST: usize = 127;
    (text.len() <= LONGEST).then(|| crate::command::error::shown(text, LONGEST))
}

/// A number as C's `strtoull` reads it, as Redis does: blanks, signs and zeros in front do no harm, and a sign that
/// makes a number negative counts down from the end, unless it is plainly written.
fn number(text: &[u8]) -> Option<u64> {
    if let Some(plain) = protocol::parse_i64(text) {
        return u64::try_from(plain).ok();
    }
    let digits = text.trim_ascii_start();
    let (negative, digits) = match digits.first()? {
        b'-' => (true, &digits[1..]),
        b'+' => (false, &digits[1..]),
        _ => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })?;
    Some(if negative { value.wrapping_neg() } else { value })
}

/// An ID as it is sent.
pub(super) fn reply_id(reply: &mut Reply, id: StreamId) {
    reply.bulk(&text(id));
}

/// An ID as text.
pub(super) fn text(id: StreamId) -> SmallVec<[u8; 48]> {
    let (mut ms, mut seq) = (itoa::Buffer::new(), itoa::Buffer::new());
    let mut text = SmallVec::from_slice(ms.format(id.ms).as_bytes());
    text.push(b'-');
    text.extend_from_slice(seq.format(id.seq).as_bytes());
    text
}

/// An entry as it is sent: its ID and its fields.
pub(super) fn reply_entry(reply: &mut Reply, entry: Entry<'_>) {
    reply.array(2);
    reply_id(reply, entry.id);
    reply_fields(reply, entry);
}

pub(super) fn reply_fields(reply: &mut Reply, entry: Entry<'_>) {
    reply.array(2 * entry.len());
    for (name, value) in entry.fields() {
        reply_item(reply, name);
        reply_item(reply, value);
    }
}

/// Some entries as they are sent.
pub(super) fn reply_entries<'a>(reply: &mut Reply, entries: impl Iterator<Item = Entry<'a>>) {
    let (deferred, mut count) = (reply.defer(), 0);
    for entry in entries {
        reply_entry(reply, entry);
        count += 1;
    }
    reply.end_array(deferred, count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_c_reads_them() {
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(number(b"18446744073709551616"), None);
        assert_eq!(number(b"007"), Some(7));
        assert_eq!(number(b" +7"), Some(7));
        assert_eq!(number(b"-7"), None);
        assert_eq!(number(b"-07"), Some(7u64.wrapping_neg()));
        assert_eq!([number(b""), number(b"+"), number(b"7 "), number(b"x")], [None; 4]);
    }

    #[test]
    fn parts_of_ids() {
        assert_eq!(parse_strict_text(b"5-6"), Some(StreamId::new(5, 6)));
        assert_eq!(parse_strict_text(b"5"), Some(StreamId::new(5, 0)));
        assert_eq!(parse_strict_text(b"5\0x"), Some(StreamId::new(5, 0)));
        assert_eq!(["-", "+", "*", ""].map(|text| parse_strict_text(text.as_bytes())), [None; 4]);
        assert_eq!(parse_strict_text(b"5-*"), None);
        assert_eq!(parse_strict_text(&[b'0'; 128]), None);
        assert_eq!(parse_text(b"+", 0), Some(StreamId::MAX));
    }
}
