//! Strings as numbers.

use storage::{Event, NewValue, StrRef, Ttl};

use super::{string_of, written_as_set};
use crate::command::{CommandResult, Context, Error};
use crate::longdouble::LongDouble;

pub(super) fn incr(cx: &mut Context<'_>) -> CommandResult {
    add(cx, 1)
}

pub(super) fn decr(cx: &mut Context<'_>) -> CommandResult {
    add(cx, -1)
}

pub(super) fn incrby(cx: &mut Context<'_>) -> CommandResult {
    add(cx, cx.integer(2)?)
}

pub(super) fn decrby(cx: &mut Context<'_>) -> CommandResult {
    let amount = cx.integer(2)?.checked_neg().ok_or(Error::fixed("ERR decrement would overflow"))?;
    add(cx, amount)
}

/// What is taken away is told as an increment, too.
fn add(cx: &mut Context<'_>, amount: i64) -> CommandResult {
    let key = cx.key(1);
    let mut sum = 0;
    cx.db.update(&key, Event::INCRBY, |old| {
        let before = match &old {
            None => 0,
            Some(entry) => match string_of(entry)? {
                StrRef::Int(number) => number,
                StrRef::Bytes(bytes) => protocol::parse_i64(bytes).ok_or(Error::NOT_AN_INTEGER)?,
            },
        };
        sum = before.checked_add(amount).ok_or(Error::OVERFLOW)?;
        Ok::<_, Error>(NewValue::Int(sum))
    })?;
    cx.reply.integer(sum);
    Ok(())
}

pub(super) fn incrbyfloat(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    let before = match cx.db.peek(&key) {
        None => LongDouble::ZERO,
        Some(entry) => {
            let mut digits = itoa::Buffer::new();
            LongDouble::parse(string_of(&entry)?.bytes(&mut digits)).ok_or(Error::NOT_A_FLOAT)?
        }
    };
    let amount = LongDouble::parse(cx.arg(2)).ok_or(Error::NOT_A_FLOAT)?;
    let sum = before.add(&amount).and_then(|sum| sum.to_text());
    let text = sum.ok_or(Error::fixed("ERR increment would produce NaN or Infinity"))?;
    cx.db.update(&key, Event::INCRBYFLOAT, |_| Ok::<_, Error>(NewValue::Str(text.as_bytes())))?;
    written_as_set(cx.db, &key, text.as_bytes(), Ttl::Keep);
    cx.reply.bulk(text.as_bytes());
    Ok(())
}
