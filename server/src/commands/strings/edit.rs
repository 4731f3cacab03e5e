//! Parts of strings: reading, overwriting and appending.

use storage::{Event, Ttl};

use super::{check_length, string_of, value_of};
use crate::command::{CommandResult, Context, Error};

pub(super) fn strlen(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    let len = cx.db.read(&key).map_or(Ok(0), |entry| string_of(&entry).map(|string| string.len()))?;
    cx.reply.integer(len as i64);
    Ok(())
}

pub(super) fn append(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    let added = cx.arg(2);
    let Some(entry) = cx.db.peek(&key) else {
        cx.db.set(&key, value_of(cx.args, 2), Ttl::Clear, Event::APPEND);
        cx.reply.integer(added.len() as i64);
        return Ok(());
    };
    let len = string_of(&entry)?.len();
    check_length(cx.server, len, added.len())?;
    cx.db.edit(&key, len + added.len(), Event::APPEND, |bytes| (bytes[len..].copy_from_slice(added), true))?;
    cx.reply.integer((len + added.len()) as i64);
    Ok(())
}

pub(super) fn setrange(cx: &mut Context<'_>) -> CommandResult {
    let offset = usize::try_from(cx.integer(2)?).map_err(|_| Error::OFFSET_OUT_OF_RANGE)?;
    let key = cx.key(1);
    let bytes = cx.arg(3);
    let len = cx.db.peek(&key).map_or(Ok(0), |entry| string_of(&entry).map(|string| string.len()))?;
    if bytes.is_empty() {
        cx.reply.integer(len as i64);
        return Ok(());
    }
    check_length(cx.server, offset, bytes.len())?;
    let end = offset + bytes.len();
    cx.db.edit(&key, end, Event::SETRANGE, |string| (string[offset..end].copy_from_slice(bytes), true))?;
    cx.reply.integer(len.max(end) as i64);
    Ok(())
}

pub(super) fn getrange(cx: &mut Context<'_>) -> CommandResult {
    let (start, end) = (cx.integer(2)?, cx.integer(3)?);
    let key = cx.key(1);
    let entry = cx.db.read(&key);
    let mut digits = itoa::Buffer::new();
    let string = match &entry {
        None => &[],
        Some(entry) => string_of(entry)?.bytes(&mut digits),
    };
    cx.reply.bulk(slice(string, start, end));
    Ok(())
}

/// The bytes from `start` to `end` inclusive, either counted from the end when negative.
fn slice(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    let len = bytes.len() as i64;
    if start < 0 && end < 0 && start > end {
        return &[];
    }
    let from_end = |at: i64| if at < 0 { (len.saturating_add(at)).max(0) } else { at };
    let (start, end) = (from_end(start), from_end(end).min(len - 1));
    if start > end { &[] } else { &bytes[start as usize..=end as usize] }
}

#[cfg(test)]
mod tests {
    use super::slice;

    #[test]
    fn ranges_are_clamped() {
        let cases: [(i64, i64, &[u8]); 9] = [
            (0, -1, b"hello"),
            (1, 3, b"ell"),
            (-3, -1, b"llo"),
            (-1, -3, b""),
            (3, 1, b""),
            (0, 100, b"hello"),
            (-100, 0, b"h"),
            (5, 9, b""),
            (i64::MIN, i64::MAX, b"hello"),
        ];
        for (start, end, expected) in cases {
            assert_eq!(slice(b"hello", start, end), expected, "{start} {end}");
        }
        assert_eq!(slice(b"", 0, 0), b"");
    }
}
