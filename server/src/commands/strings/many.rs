//! Several keys at one instant.

use storage::{Event, Ttl};

use super::options::{Accepts, Condition, Options};
use super::{reply_string, value_of};
use crate::command::{CommandResult, Context, Error};
use crate::journal;

pub(super) fn mget(cx: &mut Context<'_>) -> CommandResult {
    cx.reply.array(cx.args.len() - 1);
    for index in 1..cx.args.len() {
        let key = cx.key(index);
        // Another type is as good as nothing here.
        if !reply_string(cx.reply, cx.db, &key).unwrap_or(false) {
            cx.reply.null();
        }
    }
    Ok(())
}

pub(super) fn mset(cx: &mut Context<'_>) -> CommandResult {
    check_pairs(cx)?;
    set_pairs(cx, 1, cx.args.len(), Ttl::Clear);
    cx.reply.ok();
    Ok(())
}

pub(super) fn msetnx(cx: &mut Context<'_>) -> CommandResult {
    check_pairs(cx)?;
    let free = !any_exists(cx, 1, cx.args.len());
    if free {
        set_pairs(cx, 1, cx.args.len(), Ttl::Clear);
    }
    cx.reply.integer(free.into());
    Ok(())
}

pub(super) fn msetex(cx: &mut Context<'_>) -> CommandResult {
    let count = protocol::parse_i64(cx.arg(1)).and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
    let count = count.ok_or(Error::fixed("ERR invalid numkeys value"))?;
    let end = count.checked_mul(2).and_then(|pairs| pairs.checked_add(2)).filter(|end| *end <= cx.args.len());
    let end = end.ok_or(Error::fixed("ERR wrong number of key-value pairs"))?;
    let options = Options::parse(cx.args.tail(end), Accepts::MSetEx)?;
    let ttl = options.ttl(cx.now_ms(), "msetex")?;
    let holds = match options.condition {
        Condition::Missing => !any_exists(cx, 2, end),
        Condition::Exists => all_exist(cx, 2, end),
        _ => true,
    };
    if holds {
        set_pairs(cx, 2, end, ttl);
        if let Ttl::At(when) = ttl {
            let (mut digits, args) = (itoa::Buffer::new(), cx.args);
            let option = [&b"PXAT"[..], digits.format(when).as_bytes()];
            let command: Vec<&[u8]> = args.iter().take(end).chain(option).collect();
            journal::instead(cx.db, |entries| entries.command(command));
        }
    }
    cx.reply.integer(holds.into());
    Ok(())
}

fn check_pairs(cx: &Context<'_>) -> CommandResult {
    if cx.args.len().is_multiple_of(2) { Err(Error::wrong_arity(cx.command.spec.name)) } else { Ok(()) }
}

fn set_pairs(cx: &mut Context<'_>, from: usize, end: usize, ttl: Ttl) {
    for index in (from..end).step_by(2) {
        let key = cx.key(index);
        cx.db.set(&key, value_of(cx.args, index + 1), ttl, Event::SET);
    }
}

fn any_exists(cx: &mut Context<'_>, from: usize, end: usize) -> bool {
    (from..end).step_by(2).any(|index| {
        let key = cx.key(index);
        cx.db.exists(&key)
    })
}

fn all_exist(cx: &mut Context<'_>, from: usize, end: usize) -> bool {
    (from..end).step_by(2).all(|index| {
        let key = cx.key(index);
        cx.db.exists(&key)
    })
}
