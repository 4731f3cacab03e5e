//! Reading hashes.

use std::collections::HashSet;

use rand::seq::IndexedRandom;
use storage::hash::{Hash, HashRef};

use crate::command::{CommandResult, Context, Error};
use crate::commands::elements::{self, Picks, reply_found, reply_item};

/// The hash of the command's key, read.
fn read<'v>(cx: &'v mut Context<'_>) -> Result<Option<HashRef<'v>>, Error> {
    let key = cx.key(1);
    match cx.db.read(&key) {
        Some(entry) => Ok(Some(entry.get::<Hash>()?)),
        None => Ok(None),
    }
}

pub(super) fn hget(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    let field = cx.arg(2);
    match cx.db.read(&key) {
        Some(entry) => reply_found(cx.reply, entry.get::<Hash>()?.get(field)),
        None => cx.reply.null(),
    }
    Ok(())
}

pub(super) fn hmget(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    let hash = match cx.db.read(&key) {
        Some(entry) => Some(entry.get::<Hash>()?),
        None => None,
    };
    let fields = cx.args.tail(2);
    cx.reply.array(fields.len());
    for field in fields.iter() {
        reply_found(cx.reply, hash.and_then(|hash| hash.get(field)));
    }
    Ok(())
}

pub(super) fn hexists(cx: &mut Context<'_>) -> CommandResult {
    let field = cx.arg(2);
    let found = read(cx)?.is_some_and(|hash| hash.get(field).is_some());
    cx.reply.integer(found.into());
    Ok(())
}

pub(super) fn hlen(cx: &mut Context<'_>) -> CommandResult {
    let len = read(cx)?.map_or(0, HashRef::len);
    cx.reply.integer(len as i64);
    Ok(())
}

pub(super) fn hstrlen(cx: &mut Context<'_>) -> CommandResult {
    let field = cx.arg(2);
    let len = read(cx)?.and_then(|hash| hash.get(field)).map_or(0, |value| value.text_len());
    cx.reply.integer(len as i64);
    Ok(())
}

pub(super) fn hgetall(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    let Some(entry) = cx.db.read(&key) else {
        cx.reply.map(0);
        return Ok(());
    };
    let hash = entry.get::<Hash>()?;
    cx.reply.map(hash.len());
    // A `for` loop would ask all of the chained iterator's parts for each of the fields.
    hash.iter().for_each(|(field, value, _)| {
        reply_item(cx.reply, field);
        reply_item(cx.reply, value);
    });
    Ok(())
}

pub(super) fn hkeys(cx: &mut Context<'_>) -> CommandResult {
    list(cx, true)
}

pub(super) fn hvals(cx: &mut Context<'_>) -> CommandResult {
    list(cx, false)
}

fn list(cx: &mut Context<'_>, fields: bool) -> CommandResult {
    let key = cx.key(1);
    let Some(entry) = cx.db.read(&key) else {
        cx.reply.array(0);
        return Ok(());
    };
    let hash = entry.get::<Hash>()?;
    cx.reply.array(hash.len());
    hash.iter().for_each(|(field, value, _)| reply_item(cx.reply, if fields { field } else { value }));
    Ok(())
}

pub(super) fn hrandfield(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    if cx.args.len() == 2 {
        match cx.db.read(&key) {
            Some(entry) => reply_found(cx.reply, entry.get::<Hash>()?.random(rand::random).map(|(field, _)| field)),
            None => cx.reply.null(),
        }
        return Ok(());
    }
    Picks::parse(cx, 2, false)?;
    let with_values = cx.args.len() > 3;
    if cx.args.len() > 4 || with_values && !cx.arg_is(3, "withvalues") {
        return Err(Error::SYNTAX);
    }
    let (picks, most) = (Picks::parse(cx, 2, with_values)?, cx.most_output());
    let Some(entry) = cx.db.read(&key) else {
        cx.reply.array(0);
        return Ok(());
    };
    let hash = entry.get::<Hash>()?;
    let count = match picks {
        Picks::Any(count) => count,
        Picks::Distinct(count) => count.min(hash.len()),
    };
    let as_pairs = with_values && cx.reply.resp() == protocol::Resp::V3;
    cx.reply.array(if with_values && !as_pairs { count * 2 } else { count });
    // Tells whether there may be more.
    let mut answer = |(field, value)| {
        if as_pairs {
            cx.reply.array(2);
        }
        reply_item(cx.reply, field);
        if with_values {
            reply_item(cx.reply, value);
        }
        cx.reply.len() <= most
    };
    match picks {
        // Such a hash would have to be walked through for each.
        Picks::Any(_) if hash.is_quickly_walked() => {
            let all: Vec<_> = hash.iter().map(|(field, value, _)| (field, value)).collect();
            let mut random = rand::rng();
            let _ = (0..count).filter_map(|_| all.choose(&mut random).copied()).all(answer);
        }
        Picks::Any(_) => {
            let _ = (0..count).filter_map(|_| hash.random(rand::random)).all(answer);
        }
        // A few of many are picked one by one, and again if they were picked before.
        Picks::Distinct(_) if !hash.is_quickly_walked() && count < hash.len() / 3 => {
            let mut picked = HashSet::with_capacity(count);
            while picked.len() < count {
                let Some((field, value)) = hash.random(rand::random) else { break };
                if picked.insert(field) {
                    answer((field, value));
                }
            }
        }
        Picks::Distinct(_) => {
            let mut chosen = elements::sample(hash.len(), count).into_iter().peekable();
            for (index, (field, value, _)) in hash.iter().enumerate() {
                if chosen.next_if_eq(&index).is_some() {
                    answer((field, value));
                }
            }
        }
    }
    Ok(())
}

pub(super) fn hscan(cx: &mut Context<'_>) -> CommandResult {
    elements::scan::<Hash>(cx, true, |hash, cursor, values, page| {
        hash.scan(cursor, |field, value| page.add(field, values.then_some(value)))
    })
}
