//! Reading a stream.

use storage::stream::{Stream, StreamId};

use super::id::{self, reply_entries};
use crate::command::{CommandResult, Context, Error};

pub(super) fn xlen(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    let len = match cx.db.read(&key) {
        Some(entry) => entry.get::<Stream>()?.len(),
        None => 0,
    };
    cx.reply.integer(len as i64);
    Ok(())
}

pub(super) fn xrange(cx: &mut Context<'_>) -> CommandResult {
    let (from, to) = (id::range_start(cx, 2)?, id::range_end(cx, 3)?);
    range(cx, from, to, false)
}

pub(super) fn xrevrange(cx: &mut Context<'_>) -> CommandResult {
    let (from, to) = (id::range_start(cx, 3)?, id::range_end(cx, 2)?);
    range(cx, from, to, true)
}

fn range(cx: &mut Context<'_>, from: StreamId, to: StreamId, backward: bool) -> CommandResult {
    let mut count = None;
    let mut index = 4;
    while index < cx.args.len() {
        if !cx.arg_is(index, "count") || index + 1 == cx.args.len() {
            return Err(Error::SYNTAX);
        }
        count = Some(cx.integer(index + 1)?);
        index += 2;
    }
    let key = cx.key(1);
    let Some(entry) = cx.db.read(&key) else {
        cx.reply.array(0);
        return Ok(());
    };
    let entries = entry.get::<Stream>()?.entries();
    let count = match count {
        None => usize::MAX,
        Some(count) if count <= 0 => {
            cx.reply.null_array();
            return Ok(());
        }
        Some(count) => usize::try_from(count).unwrap_or(usize::MAX),
    };
    if backward {
        reply_entries(cx.reply, entries.range_back(from, to).take(count));
    } else {
        reply_entries(cx.reply, entries.range(from, to).take(count));
    }
    Ok(())
}
