//! Fields that expire.

use protocol::Args;
use smallvec::SmallVec;
use storage::hash::{FieldTtl, Hash, HashRef, MAX_EXPIRY};
use storage::{Collection, Event, Key, View};

use super::write_fields;
use crate::command::{CommandResult, Context, Error};
use crate::commands::elements::reply_found;
use crate::journal;

/// What the replies about single fields say.
const NO_FIELD: i64 = -2;
const NO_EXPIRY: i64 = -1;
const CONDITION_NOT_MET: i64 = 0;
const DONE: i64 = 1;
const REMOVED: i64 = 2;

const FIELDS_MISSING: Error = Error::fixed("ERR Mandatory argument FIELDS is missing or not at the right position");
const COUNT_DIFFERS: Error = Error::fixed("ERR The `numfields` parameter must match the number of arguments");

/// How a time is written.
#[derive(Clone, Copy)]
struct Unit {
    seconds: bool,
    absolute: bool,
}

const SECONDS: Unit = Unit { seconds: true, absolute: false };
const MILLIS: Unit = Unit { seconds: false, absolute: false };
const UNIX_SECONDS: Unit = Unit { seconds: true, absolute: true };
const UNIX_MILLIS: Unit = Unit { seconds: false, absolute: true };

impl Unit {
    /// The time at `index` as Unix milliseconds.
    fn parse(self, cx: &Context<'_>, index: usize) -> Result<i64, Error> {
        let time = cx.integer(index)?;
        if time < 0 {
            return Err(Error::fixed("ERR invalid expire time, must be >= 0"));
        }
        let millis = if self.seconds { time.checked_mul(1000) } else { Some(time) };
        let basis = if self.absolute { 0 } else { cx.now_ms() };
        let expiry = millis.and_then(|millis| millis.checked_add(basis)).filter(|when| *when <= MAX_EXPIRY);
        expiry.ok_or(Error::invalid_expire(&cx.command.full_name))
    }

    /// A Unix time in milliseconds as this unit tells it.
    fn format(self, when: i64, now_ms: i64) -> i64 {
        let millis = if self.absolute { when } else { (when - now_ms).max(0) };
        if self.seconds { (millis + 999) / 1000 } else { millis }
    }
}

pub(super) fn hexpire(cx: &mut Context<'_>) -> CommandResult {
    expire(cx, SECONDS)
}

pub(super) fn hpexpire(cx: &mut Context<'_>) -> CommandResult {
    expire(cx, MILLIS)
}

pub(super) fn hexpireat(cx: &mut Context<'_>) -> CommandResult {
    expire(cx, UNIX_SECONDS)
}

pub(super) fn hpexpireat(cx: &mut Context<'_>) -> CommandResult {
    expire(cx, UNIX_MILLIS)
}

/// Refuses a key that holds something else.
fn check_type(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    if let Some(entry) = cx.db.peek(&key) {
        entry.get::<Hash>()?;
    }
    Ok(())
}

/// Fields that a command has changed.
type Fields<'a> = SmallVec<[&'a [u8]; 8]>;

/// Has it written down which fields expire at another time than before (`None` is never), and which had to go because
/// that time is over.
fn write_expiry(
    db: &mut View<'_>,
    key: &Key<'_>,
    (expiry, condition): (Option<i64>, Option<&[u8]>),
    changed: &Fields<'_>,
    removed: &Fields<'_>,
) {
    if !changed.is_empty() {
        let (mut time, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
        let count = count.format(changed.len()).as_bytes();
        let fields = changed.iter().copied();
        match expiry {
            None => write_fields(db, &[b"HPERSIST", key.bytes, b"FIELDS", count], fields),
            Some(when) => {
                let mut start = SmallVec::<[&[u8]; 6]>::new();
                start.extend([b"HPEXPIREAT", key.bytes, time.format(when).as_bytes()]);
                start.extend(condition);
                start.extend([b"FIELDS", count]);
                write_fields(db, &start, fields);
            }
        }
    }
    if !removed.is_empty() {
        write_fields(db, &[b"HDEL", key.bytes], removed.iter().copied());
    }
}

fn expire(cx: &mut Context<'_>, unit: Unit) -> CommandResult {
    check_type(cx)?;
    let when = unit.parse(cx, 2)?;
    let condition = ["nx", "xx", "gt", "lt"].into_iter().find(|word| cx.arg_is(3, word));
    let at = if condition.is_some() { 4 } else { 3 };
    if !cx.arg_is(at, "fields") {
        return Err(FIELDS_MISSING);
    }
    let count = cx.integer(at + 1).ok().filter(|count| *count > 0);
    let count = count.ok_or(Error::fixed("ERR Parameter `numFields` should be greater than 0"))?;
    let fields = cx.args.tail(at + 2);
    if count != fields.len() as i64 {
        return Err(COUNT_DIFFERS);
    }
    let (key, horizon_ms) = (cx.key(1), cx.horizon_ms());
    cx.reply.array(fields.len());
    let reply = &mut *cx.reply;
    let (mut changed, mut removed) = (Fields::new(), Fields::new());
    let found = cx.db.change_existing::<Hash, _>(&key, |hash, log| {
        // As in Redis, even if in the end no field gets one.
        if hash.make_timed() {
            log.silently();
        }
        for field in fields.iter() {
            let outcome = match hash.as_ref().expiry(field) {
                None => NO_FIELD,
                Some(old) if !condition.is_none_or(|condition| is_met(condition, old, when)) => CONDITION_NOT_MET,
                Some(_) if when <= horizon_ms => {
                    hash.remove(field);
                    removed.push(field);
                    REMOVED
                }
                Some(_) => {
                    hash.set_expiry(field, Some(when));
                    changed.push(field);
                    DONE
                }
            };
            reply.integer(outcome);
        }
        if changed.len() + removed.len() > 0 {
            let event = if removed.is_empty() { Event::HEXPIRE } else { Event::HDEL };
            log.changed(event, changed.len() + removed.len());
        }
    })?;
    let condition = condition.map(|_| cx.arg(3));
    write_expiry(cx.db, &key, (Some(when), condition), &changed, &removed);
    if found.is_none() {
        fields.iter().for_each(|_| cx.reply.integer(NO_FIELD));
    }
    Ok(())
}

/// Whether a field's expiry may be changed. One that never expires expires later than any other.
fn is_met(condition: &str, old: Option<i64>, new: i64) -> bool {
    match condition {
        "nx" => old.is_none(),
        "xx" => old.is_some(),
        "gt" => old.is_some_and(|old| new > old),
        _ => old.is_none_or(|old| new < old),
    }
}

pub(super) fn httl(cx: &mut Context<'_>) -> CommandResult {
    tell_expiry(cx, SECONDS)
}

pub(super) fn hpttl(cx: &mut Context<'_>) -> CommandResult {
    tell_expiry(cx, MILLIS)
}

pub(super) fn hexpiretime(cx: &mut Context<'_>) -> CommandResult {
    tell_expiry(cx, UNIX_SECONDS)
}

pub(super) fn hpexpiretime(cx: &mut Context<'_>) -> CommandResult {
    tell_expiry(cx, UNIX_MILLIS)
}

fn tell_expiry(cx: &mut Context<'_>, unit: Unit) -> CommandResult {
    let (key, now_ms) = (cx.key(1), cx.now_ms());
    let fields = fields(cx, 2);
    let hash = match cx.db.read(&key) {
        Some(entry) => Some(entry.get::<Hash>()?),
        None => None,
    };
    let fields = fields?;
    cx.reply.array(fields.len());
    for field in fields.iter() {
        cx.reply.integer(match hash.and_then(|hash: HashRef<'_>| hash.expiry(field)) {
            None => NO_FIELD,
            Some(None) => NO_EXPIRY,
            Some(Some(when)) => unit.format(when, now_ms),
        });
    }
    Ok(())
}

pub(super) fn hpersist(cx: &mut Context<'_>) -> CommandResult {
    check_type(cx)?;
    let fields = fields(cx, 2)?;
    let key = cx.key(1);
    cx.reply.array(fields.len());
    let reply = &mut *cx.reply;
    let found = cx.db.change_existing::<Hash, _>(&key, |hash, log| {
        let mut changed = false;
        for field in fields.iter() {
            reply.integer(match hash.as_ref().expiry(field) {
                None => NO_FIELD,
                Some(None) => NO_EXPIRY,
                Some(Some(_)) => {
                    hash.set_expiry(field, None);
                    changed = true;
                    DONE
                }
            });
        }
        if changed {
            // One change, however many fields: as Redis counts.
            log.changed(Event::HPERSIST, 1);
        }
    })?;
    if found.is_none() {
        fields.iter().for_each(|_| cx.reply.integer(NO_FIELD));
    }
    Ok(())
}

/// The fields behind `FIELDS count` at `index`, which are all that is left.
pub(super) fn fields<'a>(cx: &Context<'a>, index: usize) -> Result<Args<'a>, Error> {
    if !cx.arg_is(index, "fields") {
        return Err(FIELDS_MISSING);
    }
    let count = cx.integer(index + 1).ok().filter(|count| *count > 0);
    let count = count.ok_or(Error::fixed("ERR Number of fields must be a positive integer"))?;
    let fields = cx.args.tail(index + 2);
    if count == fields.len() as i64 { Ok(fields) } else { Err(COUNT_DIFFERS) }
}

/// The word of an expiry option.
fn unit_of(word: &[u8]) -> Option<Unit> {
    match word.to_ascii_lowercase().as_slice() {
        b"ex" => Some(SECONDS),
        b"px" => Some(MILLIS),
        b"exat" => Some(UNIX_SECONDS),
        b"pxat" => Some(UNIX_MILLIS),
        _ => None,
    }
}

pub(super) fn hgetex(cx: &mut Context<'_>) -> CommandResult {
    check_type(cx)?;
    let persist = cx.arg_is(2, "persist");
    let (expiry, at) = match unit_of(cx.arg(2)) {
        Some(unit) => (Some(unit.parse(cx, 3)?), 4),
        None => (None, if persist { 3 } else { 2 }),
    };
    let fields = fields(cx, at)?;
    let (key, horizon_ms) = (cx.key(1), cx.horizon_ms());
    cx.reply.array(fields.len());
    let reply = &mut *cx.reply;
    let (mut changed, mut removed) = (Fields::new(), Fields::new());
    let found = cx.db.change_existing::<Hash, _>(&key, |hash, log| {
        if (expiry.is_some() || persist) && hash.make_timed() {
            log.silently();
        }
        for field in fields.iter() {
            let value = hash.as_ref().get(field);
            reply_found(reply, value);
            if value.is_none() {
                continue;
            }
            match expiry {
                Some(when) if when <= horizon_ms => {
                    if hash.remove(field) {
                        removed.push(field);
                    }
                }
                None if !(persist && hash.as_ref().expiry(field).flatten().is_some()) => {}
                expiry => {
                    if hash.set_expiry(field, expiry) {
                        changed.push(field);
                    }
                }
            }
        }
        if !removed.is_empty() {
            log.changed(Event::HDEL, removed.len());
        } else if !changed.is_empty() {
            log.changed(if persist { Event::HPERSIST } else { Event::HEXPIRE }, changed.len());
        }
    })?;
    write_expiry(cx.db, &key, (expiry, None), &changed, &removed);
    if found.is_none() {
        fields.iter().for_each(|_| cx.reply.null());
    }
    Ok(())
}

/// What must be true of the fields for HSETEX to set any.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    NoneExists,
    AllExist,
}

/// What HSETEX is asked for.
struct SetOptions<'a> {
    condition: Condition,
    ttl: FieldTtl,
    /// Where that is said.
    ttl_at: usize,
    /// Fields and values in turn.
    pairs: Args<'a>,
}

impl<'a> SetOptions<'a> {
    /// Reads options in any order, and the fields, which come last.
    fn parse(cx: &Context<'a>) -> Result<SetOptions<'a>, Error> {
        let wrong_arity = || Error::wrong_arity(&cx.command.full_name);
        let (mut condition, mut ttl, mut ttl_at) = (Condition::Always, FieldTtl::Clear, 0);
        let mut index = 2;
        while let Some(word) = cx.args.get(index) {
            let unit = unit_of(word);
            match word.to_ascii_lowercase().as_slice() {
                b"fields" => {
                    let pairs = cx.args.tail(index + 2);
                    if pairs.len() < 2 {
                        return Err(wrong_arity());
                    }
                    let count = cx.integer(index + 1).ok().filter(|count| (1..=i64::from(i32::MAX)).contains(count));
                    let count = count.ok_or(Error::fixed("ERR invalid number of fields"))?;
                    if count * 2 != pairs.len() as i64 {
                        return Err(wrong_arity());
                    }
                    return Ok(SetOptions { condition, ttl, ttl_at, pairs });
                }
                b"fnx" | b"fxx" if condition != Condition::Always => {
                    return Err(Error::fixed("ERR Only one of FXX or FNX arguments can be specified"));
                }
                b"fnx" => condition = Condition::NoneExists,
                b"fxx" => condition = Condition::AllExist,
                lower if unit.is_none() && lower != b"keepttl" => {
                    return Err(Error::quoting("ERR unknown argument: ", word, ""));
                }
                _ if ttl != FieldTtl::Clear => {
                    let text = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
                    return Err(Error::fixed(text));
                }
                _ => {
                    ttl_at = index;
                    ttl = match unit {
                        None => FieldTtl::Keep,
                        Some(unit) => {
                            index += 1;
                            FieldTtl::At(unit.parse(cx, index)?)
                        }
                    }
                }
            }
            index += 1;
        }
        Err(wrong_arity())
    }
}

pub(super) fn hsetex(cx: &mut Context<'_>) -> CommandResult {
    let SetOptions { condition, ttl, ttl_at, pairs } = SetOptions::parse(cx)?;
    let (key, limits, horizon_ms) = (cx.key(1), cx.server.hash_limits(), cx.horizon_ms());
    let done = cx.db.change::<Hash, _>(&key, |hash, log| {
        let exists = |field: &[u8]| hash.as_ref().get(field).is_some();
        let mut fields = pairs.iter().step_by(2);
        let holds = match condition {
            Condition::Always => true,
            Condition::NoneExists => !fields.any(exists),
            Condition::AllExist => fields.all(exists),
        };
        if !holds {
            return false;
        }
        let count = pairs.len() / 2;
        hash.prepare(count, pairs.iter().map(<[u8]>::len).max().unwrap_or(0), limits);
        let is_past = matches!(ttl, FieldTtl::At(when) if when <= horizon_ms);
        if let FieldTtl::At(_) = ttl {
            hash.make_timed();
        }
        for at in (0..pairs.len()).step_by(2) {
            if is_past {
                hash.remove(&pairs[at]);
            } else {
                hash.set(&pairs[at], &pairs[at + 1], ttl, limits);
            }
        }
        log.changed(Event::HSET, count);
        match ttl {
            FieldTtl::At(_) if is_past => log.changed(Event::HDEL, 0),
            FieldTtl::At(_) => log.changed(Event::HEXPIRE, 0),
            FieldTtl::Keep | FieldTtl::Clear => {}
        }
        true
    })?;
    if let FieldTtl::At(when) = ttl
        && done
    {
        if when <= horizon_ms {
            write_fields(cx.db, &[b"HDEL", key.bytes], pairs.iter().step_by(2));
        } else {
            let (mut digits, args) = (itoa::Buffer::new(), cx.args);
            let changes = [(ttl_at, Some(&b"PXAT"[..])), (ttl_at + 1, Some(digits.format(when).as_bytes()))];
            journal::instead(cx.db, |entries| entries.command(journal::changed(args, &changes)));
        }
    }
    cx.reply.integer(done.into());
    Ok(())
}
