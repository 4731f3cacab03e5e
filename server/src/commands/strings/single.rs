//! GET, SET and their relatives for one key.

use protocol::Args;
use smallvec::SmallVec;
use storage::{Event, Free, Ttl};

use super::options::{Accepts, Condition, Options, Unit, absolute};
use super::{digest, reply_string, string_of, value_of, written_as_set};
use crate::command::{CommandResult, Context, Error, KeyFlags};
use crate::{journal, set};

#[inline]
pub(super) fn get(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    if !reply_string(cx.reply, cx.db, &key)? {
        cx.reply.null();
    }
    Ok(())
}

pub(super) fn set(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    if cx.args.len() == 3 {
        cx.db.set(&key, value_of(cx.args, 2), Ttl::Clear, Event::SET);
        cx.reply.ok();
        return Ok(());
    }
    let options = Options::parse(cx.args.tail(3), Accepts::Set)?;
    let ttl = options.ttl(cx.now_ms(), "set")?;
    if options.get {
        get(cx)?;
    }
    if !holds(cx, &options.condition)? {
        if !options.get {
            cx.reply.null();
        }
        return Ok(());
    }
    cx.db.set(&key, value_of(cx.args, 2), ttl, Event::SET);
    if options.condition.compares() || matches!(ttl, Ttl::At(_)) && !options.is_in_unix_ms() {
        written_as_set(cx.db, &key, cx.arg(2), ttl);
    } else if options.get && !matches!(ttl, Ttl::At(_)) {
        let args = cx.args;
        let word = |index: &usize| *index < 3 || !args[*index].eq_ignore_ascii_case(b"get");
        let words: SmallVec<[&[u8]; 8]> = (0..args.len()).filter(word).map(|index| &args[index]).collect();
        journal::instead(cx.db, |entries| entries.command(words));
    }
    if !options.get {
        cx.reply.ok();
    }
    Ok(())
}

/// SET overwrites its key, and reads it only when asked to.
pub(super) fn set_key_flags(args: Args<'_>) -> KeyFlags {
    let gets = (3..args.len()).any(|index| args[index].eq_ignore_ascii_case(b"get"));
    if gets { set!(KeyFlags: RW | ACCESS | UPDATE) } else { set!(KeyFlags: OW | UPDATE) }
}

/// Whether a condition holds of the first key.
fn holds(cx: &mut Context<'_>, condition: &Condition<'_>) -> Result<bool, Error> {
    let key = cx.key(1);
    match condition {
        Condition::Always => Ok(true),
        Condition::Missing => Ok(!cx.db.exists(&key)),
        Condition::Exists => Ok(cx.db.exists(&key)),
        comparing => match cx.db.peek(&key) {
            // Of what is not there, only a difference can be said.
            None => digest::missing_satisfies(comparing),
            Some(entry) => digest::satisfies(string_of(&entry)?, comparing),
        },
    }
}

pub(super) fn setnx(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    let missing = !cx.db.exists(&key);
    if missing {
        cx.db.set(&key, value_of(cx.args, 2), Ttl::Clear, Event::SET);
    }
    cx.reply.integer(missing.into());
    Ok(())
}

pub(super) fn setex(cx: &mut Context<'_>) -> CommandResult {
    set_expiring(cx, Unit::Seconds)
}

pub(super) fn psetex(cx: &mut Context<'_>) -> CommandResult {
    set_expiring(cx, Unit::Millis)
}

fn set_expiring(cx: &mut Context<'_>, unit: Unit) -> CommandResult {
    let when = absolute(unit, cx.arg(2), cx.now_ms(), cx.command.spec.name)?;
    let key = cx.key(1);
    cx.db.set(&key, value_of(cx.args, 3), Ttl::At(when), Event::SET);
    written_as_set(cx.db, &key, cx.arg(3), Ttl::At(when));
    cx.reply.ok();
    Ok(())
}

pub(super) fn getset(cx: &mut Context<'_>) -> CommandResult {
    get(cx)?;
    let key = cx.key(1);
    cx.db.set(&key, value_of(cx.args, 2), Ttl::Clear, Event::SET);
    written_as_set(cx.db, &key, cx.arg(2), Ttl::Clear);
    Ok(())
}

pub(super) fn getdel(cx: &mut Context<'_>) -> CommandResult {
    get(cx)?;
    let key = cx.key(1);
    let free = if cx.server.config.lazy_del() { Free::Later } else { Free::Now };
    if cx.db.remove(&key, free, Event::DEL) {
        journal::removal(cx.db, &key, Free::Now);
    }
    Ok(())
}

pub(super) fn getex(cx: &mut Context<'_>) -> CommandResult {
    let options = Options::parse(cx.args.tail(2), Accepts::GetEx)?;
    let key = cx.key(1);
    let now = cx.now_ms();
    if !reply_string(cx.reply, cx.db, &key)? {
        cx.reply.null();
        return Ok(());
    }
    let had_expiry = cx.db.peek(&key).is_some_and(|entry| entry.expiry().is_some());
    let expiry = options.expiry(now, "getex")?;
    let horizon_ms = cx.horizon_ms();
    match expiry {
        Some(when) if options.is_absolute() && when <= horizon_ms => {
            let free = if cx.server.config.lazy_expire() { Free::Later } else { Free::Now };
            cx.db.remove(&key, free, Event::DEL);
            journal::removal(cx.db, &key, free);
        }
        Some(when) => {
            cx.db.set_expiry(&key, Some(when), Event::EXPIRE);
            let mut digits = itoa::Buffer::new();
            let command = [&b"PEXPIREAT"[..], key.bytes, digits.format(when).as_bytes()];
            journal::instead(cx.db, |entries| entries.command(command));
        }
        None if options.persist && had_expiry => {
            cx.db.set_expiry(&key, None, Event::PERSIST);
            journal::instead(cx.db, |entries| entries.command([&b"PERSIST"[..], key.bytes]));
        }
        None => {}
    }
    Ok(())
}
