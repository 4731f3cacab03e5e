//! One set and its members.

use storage::Collection;
use storage::Event;
use storage::set::{Set, SetRef};

use crate::command::{CommandResult, Context};
use crate::commands::elements::{self, reply_item};

pub(super) fn sadd(cx: &mut Context<'_>) -> CommandResult {
    let (key, members, limits) = (cx.key(1), cx.args.tail(2), cx.server.set_limits());
    let added = cx.db.change::<Set, _>(&key, |set, log| {
        if set.is_empty() {
            *set = Set::for_members(members.get(0).unwrap_or_default(), members.len(), limits);
        } else {
            set.prepare(members.len(), limits);
        }
        let added = members.iter().filter(|member| set.add(member, limits)).count();
        if added > 0 {
            log.changed(Event::SADD, added);
        } else {
            // It may have changed its form.
            log.silently();
        }
        added
    })?;
    cx.reply.integer(added as i64);
    Ok(())
}

pub(super) fn srem(cx: &mut Context<'_>) -> CommandResult {
    let (key, members) = (cx.key(1), cx.args.tail(2));
    let removed = cx.db.change_existing::<Set, _>(&key, |set, log| {
        let removed = members.iter().filter(|member| set.remove(member)).count();
        if removed > 0 {
            log.changed(Event::SREM, removed);
        }
        removed
    })?;
    cx.reply.integer(removed.unwrap_or(0) as i64);
    Ok(())
}

pub(super) fn smove(cx: &mut Context<'_>) -> CommandResult {
    let (from, to, member, limits) = (cx.key(1), cx.key(2), cx.arg(3), cx.server.set_limits());
    let found = match cx.db.peek(&from) {
        None => false,
        Some(entry) => entry.get::<Set>()?.contains(member),
    };
    if cx.db.exists(&from)
        && let Some(entry) = cx.db.peek(&to)
    {
        entry.get::<Set>()?;
    }
    if found && from.bytes != to.bytes {
        cx.db.change_existing::<Set, _>(&from, |set, log| {
            set.remove(member);
            log.changed(Event::SREM, 1);
        })?;
        cx.db.change::<Set, _>(&to, |set, log| {
            if set.is_empty() {
                *set = Set::for_members(member, 1, limits);
            }
            if set.add(member, limits) {
                log.changed(Event::SADD, 1);
            }
        })?;
    }
    cx.reply.integer(found.into());
    Ok(())
}

pub(super) fn scard(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    let len = match cx.db.read(&key) {
        Some(entry) => entry.get::<Set>()?.len(),
        None => 0,
    };
    cx.reply.integer(len as i64);
    Ok(())
}

pub(super) fn sismember(cx: &mut Context<'_>) -> CommandResult {
    let (key, member) = (cx.key(1), cx.arg(2));
    let found = match cx.db.read(&key) {
        Some(entry) => entry.get::<Set>()?.contains(member),
        None => false,
    };
    cx.reply.integer(found.into());
    Ok(())
}

pub(super) fn smismember(cx: &mut Context<'_>) -> CommandResult {
    let (key, members) = (cx.key(1), cx.args.tail(2));
    let set = match cx.db.read(&key) {
        Some(entry) => Some(entry.get::<Set>()?),
        None => None,
    };
    cx.reply.array(members.len());
    for member in members.iter() {
        cx.reply.integer(set.is_some_and(|set: SetRef<'_>| set.contains(member)).into());
    }
    Ok(())
}

pub(super) fn smembers(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    let Some(entry) = cx.db.read(&key) else {
        cx.reply.set(0);
        return Ok(());
    };
    let set = entry.get::<Set>()?;
    cx.reply.set(set.len());
    set.iter().for_each(|member| reply_item(cx.reply, member));
    Ok(())
}

pub(super) fn sscan(cx: &mut Context<'_>) -> CommandResult {
    elements::scan::<Set>(cx, false, |set, cursor, _, page| set.scan(cursor, |member| page.add(member, None)))
}
