//! The ends of a list.

use storage::list::{End, List};
use storage::{Collection, Event};

use crate::command::{CommandResult, Context, Error};
use crate::commands::elements::reply_item;

/// What happens at an end is called differently.
pub(super) fn push_event(end: End) -> Event {
    if end == End::Head { Event::LPUSH } else { Event::RPUSH }
}

pub(super) fn pop_event(end: End) -> Event {
    if end == End::Head { Event::LPOP } else { Event::RPOP }
}

pub(super) fn lpush(cx: &mut Context<'_>) -> CommandResult {
    push(cx, End::Head, false)
}

pub(super) fn rpush(cx: &mut Context<'_>) -> CommandResult {
    push(cx, End::Tail, false)
}

pub(super) fn lpushx(cx: &mut Context<'_>) -> CommandResult {
    push(cx, End::Head, true)
}

pub(super) fn rpushx(cx: &mut Context<'_>) -> CommandResult {
    push(cx, End::Tail, true)
}

fn push(cx: &mut Context<'_>, end: End, only_existing: bool) -> CommandResult {
    let (key, elements, limit) = (cx.key(1), cx.args.tail(2), cx.server.list_limit());
    if only_existing && cx.db.peek(&key).is_none() {
        cx.reply.integer(0);
        return Ok(());
    }
    let len = cx.db.change::<List, _>(&key, |list, log| {
        list.prepare(elements.len(), elements.iter().map(<[u8]>::len).sum(), limit);
        elements.iter().for_each(|element| list.push(end, element));
        log.changed(push_event(end), elements.len());
        list.as_ref().len()
    })?;
    cx.reply.integer(len as i64);
    Ok(())
}

pub(super) fn lpop(cx: &mut Context<'_>) -> CommandResult {
    pop(cx, End::Head)
}

pub(super) fn rpop(cx: &mut Context<'_>) -> CommandResult {
    pop(cx, End::Tail)
}

fn pop(cx: &mut Context<'_>, end: End) -> CommandResult {
    if cx.args.len() > 3 {
        return Err(Error::wrong_arity(&cx.command.full_name));
    }
    let count = if cx.args.len() == 3 { Some(positive(cx, 2)?) } else { None };
    let (key, limit) = (cx.key(1), cx.server.list_limit());
    let reply = &mut *cx.reply;
    let found = cx.db.change_existing::<List, _>(&key, |list, log| {
        let wanted = count.unwrap_or(1);
        if count.is_some() {
            reply.array(wanted.min(list.as_ref().len()));
        }
        if wanted > 0 {
            let taken = list.pop(end, wanted, |item| reply_item(reply, item));
            list.settle(limit);
            log.changed(pop_event(end), taken);
        }
    })?;
    match found {
        Some(()) => {}
        None if count.is_some() => cx.reply.null_array(),
        None => cx.reply.null(),
    }
    Ok(())
}

/// The argument at `index` as a number that is not negative.
fn positive(cx: &Context<'_>, index: usize) -> Result<usize, Error> {
    let number = protocol::parse_i64(cx.arg(index)).and_then(|number| usize::try_from(number).ok());
    number.ok_or(Error::fixed("ERR value is out of range, must be positive"))
}
