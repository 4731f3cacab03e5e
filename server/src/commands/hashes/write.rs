//! Changing hashes.

use storage::Event;
use storage::hash::{FieldTtl, Hash};

use super::write_fields;
use crate::command::{CommandResult, Context, Error};
use crate::commands::elements::reply_found;
use crate::journal;
use crate::longdouble::LongDouble;

pub(super) fn hset(cx: &mut Context<'_>) -> CommandResult {
    let created = set_pairs(cx)?;
    cx.reply.integer(created as i64);
    Ok(())
}

pub(super) fn hmset(cx: &mut Context<'_>) -> CommandResult {
    set_pairs(cx)?;
    cx.reply.ok();
    Ok(())
}

/// Sets the fields from the second argument on. Returns how many are new.
fn set_pairs(cx: &mut Context<'_>) -> Result<usize, Error> {
    if !cx.args.len().is_multiple_of(2) {
        return Err(Error::wrong_arity(&cx.command.full_name));
    }
    let (key, args, limits) = (cx.key(1), cx.args, cx.server.hash_limits());
    let pairs = args.len() / 2 - 1;
    Ok(cx.db.change::<Hash, _>(&key, |hash, log| {
        hash.prepare(pairs, args.tail(2).iter().map(<[u8]>::len).max().unwrap_or(0), limits);
        log.changed(Event::HSET, pairs);
        let pairs = (2..args.len()).step_by(2);
        pairs.filter(|&at| hash.set(&args[at], &args[at + 1], FieldTtl::Clear, limits)).count()
    })?)
}

pub(super) fn hsetnx(cx: &mut Context<'_>) -> CommandResult {
    let (key, args, limits) = (cx.key(1), cx.args, cx.server.hash_limits());
    let set = cx.db.change::<Hash, _>(&key, |hash, log| {
        let missing = storage::Collection::as_ref(hash).get(&args[2]).is_none();
        if missing {
            hash.set(&args[2], &args[3], FieldTtl::Clear, limits);
            log.changed(Event::HSET, 1);
        }
        missing
    })?;
    cx.reply.integer(set.into());
    Ok(())
}

pub(super) fn hdel(cx: &mut Context<'_>) -> CommandResult {
    let (key, args) = (cx.key(1), cx.args);
    let removed = cx.db.change_existing::<Hash, _>(&key, |hash, log| {
        let removed = args.tail(2).iter().filter(|field| hash.remove(field)).count();
        if removed > 0 {
            log.changed(Event::HDEL, removed);
        }
        removed
    })?;
    cx.reply.integer(removed.unwrap_or(0) as i64);
    Ok(())
}

pub(super) fn hgetdel(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    if let Some(entry) = cx.db.peek(&key) {
        entry.get::<Hash>()?;
    }
    let fields = super::expiry::fields(cx, 2)?;
    cx.reply.array(fields.len());
    let reply = &mut *cx.reply;
    let found = cx.db.change_existing::<Hash, _>(&key, |hash, log| {
        let mut removed = 0;
        for field in fields.iter() {
            reply_found(reply, storage::Collection::as_ref(hash).get(field));
            removed += usize::from(hash.remove(field));
        }
        if removed > 0 {
            log.changed(Event::HDEL, removed);
        }
        removed
    })?;
    if found.is_some_and(|removed| removed > 0) {
        write_fields(cx.db, &[b"HDEL", key.bytes], fields.iter());
    }
    if found.is_none() {
        fields.iter().for_each(|_| cx.reply.null());
    }
    Ok(())
}

pub(super) fn hincrby(cx: &mut Context<'_>) -> CommandResult {
    let (key, args, limits) = (cx.key(1), cx.args, cx.server.hash_limits());
    let amount = cx.integer(3)?;
    let sum = cx.db.change::<Hash, _>(&key, |hash, log| {
        let not_an_integer = Error::fixed("ERR hash value is not an integer");
        let before = match storage::Collection::as_ref(hash).get(&args[2]) {
            None => 0,
            Some(value) => protocol::parse_i64(value.bytes(&mut itoa::Buffer::new())).ok_or(not_an_integer)?,
        };
        let sum = before.checked_add(amount).ok_or(Error::OVERFLOW)?;
        hash.set(&args[2], itoa::Buffer::new().format(sum).as_bytes(), FieldTtl::Keep, limits);
        log.changed(Event::HINCRBY, 1);
        Ok::<_, Error>(sum)
    })??;
    cx.reply.integer(sum);
    Ok(())
}

pub(super) fn hincrbyfloat(cx: &mut Context<'_>) -> CommandResult {
    let (key, args, limits) = (cx.key(1), cx.args, cx.server.hash_limits());
    let amount = LongDouble::parse(cx.arg(3)).ok_or(Error::NOT_A_FLOAT)?;
    if matches!(amount, LongDouble::Infinite { .. }) {
        return Err(Error::fixed("ERR value is NaN or Infinity"));
    }
    let text = cx.db.change::<Hash, _>(&key, |hash, log| {
        let before = match storage::Collection::as_ref(hash).get(&args[2]) {
            None => LongDouble::ZERO,
            Some(value) => LongDouble::parse(value.bytes(&mut itoa::Buffer::new()))
                .ok_or(Error::fixed("ERR hash value is not a float"))?,
        };
        let sum = before.add(&amount).and_then(|sum| sum.to_text());
        let text = sum.ok_or(Error::fixed("ERR increment would produce NaN or Infinity"))?;
        hash.set(&args[2], text.as_bytes(), FieldTtl::Keep, limits);
        log.changed(Event::HINCRBYFLOAT, 1);
        Ok::<_, Error>(text)
    })??;
    journal::instead(cx.db, |entries| entries.command([&b"HSET"[..], key.bytes, &args[2], text.as_bytes()]));
    cx.reply.bulk(text.as_bytes());
    Ok(())
}
