//! INCREX: a counter with bounds and an expiry.

use protocol::{Args, Reply, Resp, parse_i64};
use storage::{Event, Free, NewValue, StrRef, Ttl};

use super::options::{Unit, absolute};
use super::{string_of, written_as_set};
use crate::command::{CommandResult, Context, Error};
use crate::journal;
use crate::longdouble::LongDouble;

/// The options of a call, numbers as they were written.
#[derive(Default)]
struct Options<'a> {
    by: Option<(Mode, &'a [u8])>,
    lower: Option<&'a [u8]>,
    upper: Option<&'a [u8]>,
    saturate: bool,
    expiry: Option<(Unit, &'a [u8])>,
    persist: bool,
    only_timeless: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Int,
    Float,
}

impl<'a> Options<'a> {
    /// Reads options in any order, each at most once.
    fn parse(args: Args<'a>) -> Result<Options<'a>, Error> {
        let mut options = Options::default();
        let mut index = 0;
        while let Some(word) = args.get(index) {
            let operand = || args.get(index + 1).ok_or(Error::SYNTAX);
            let mut operands = 1;
            match word.to_ascii_lowercase().as_slice() {
                b"byint" => once(&mut options.by, (Mode::Int, operand()?))?,
                b"byfloat" => once(&mut options.by, (Mode::Float, operand()?))?,
                b"lbound" => once(&mut options.lower, operand()?)?,
                b"ubound" => once(&mut options.upper, operand()?)?,
                b"ex" => once(&mut options.expiry, (Unit::Seconds, operand()?))?,
                b"px" => once(&mut options.expiry, (Unit::Millis, operand()?))?,
                b"exat" => once(&mut options.expiry, (Unit::UnixSeconds, operand()?))?,
                b"pxat" => once(&mut options.expiry, (Unit::UnixMillis, operand()?))?,
                flag => {
                    operands = 0;
                    let flag = match flag {
                        b"saturate" => &mut options.saturate,
                        b"persist" => &mut options.persist,
                        b"enx" => &mut options.only_timeless,
                        _ => return Err(Error::SYNTAX),
                    };
                    if std::mem::replace(flag, true) {
                        return Err(Error::SYNTAX);
                    }
                }
            }
            index += 1 + operands;
        }
        if options.persist && (options.expiry.is_some() || options.only_timeless) {
            return Err(Error::SYNTAX);
        }
        if options.only_timeless && options.expiry.is_none() {
            return Err(Error::fixed("ERR ENX flag requires an expiration"));
        }
        Ok(options)
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Error> {
    if place.replace(value).is_some() { Err(Error::SYNTAX) } else { Ok(()) }
}

/// What becomes of a value: another one, or none if that would be out of bounds; and by how much it changed.
struct Step<N> {
    stored: bool,
    value: N,
    applied: N,
}

pub(super) fn increx(cx: &mut Context<'_>) -> CommandResult {
    let options = Options::parse(cx.args.tail(2))?;
    match options.by {
        Some((Mode::Float, amount)) => by_float(cx, &options, amount),
        Some((Mode::Int, amount)) => by_int(cx, &options, amount),
        None => by_int(cx, &options, b"1"),
    }
}

const CROSSED_BOUNDS: Error = Error::fixed("ERR LBOUND can't be greater than UBOUND");

fn by_int(cx: &mut Context<'_>, options: &Options<'_>, amount: &[u8]) -> CommandResult {
    let read = |name: &str, text: &[u8]| {
        parse_i64(text).ok_or_else(|| Error::new(format!("ERR {name} is not an integer or out of range")))
    };
    let amount = read("Increment", amount)?;
    let lower = options.lower.map_or(Ok(i64::MIN), |text| read("LBOUND", text))?;
    let upper = options.upper.map_or(Ok(i64::MAX), |text| read("UBOUND", text))?;
    if lower > upper {
        return Err(CROSSED_BOUNDS);
    }
    let expiry = expiry(cx, options)?;
    let key = cx.key(1);
    let before = match cx.db.peek(&key) {
        None => 0,
        Some(entry) => match string_of(&entry)? {
            StrRef::Int(number) => number,
            StrRef::Bytes(bytes) => parse_i64(bytes).ok_or(Error::NOT_AN_INTEGER)?,
        },
    };
    let wanted = i128::from(before) + i128::from(amount);
    let bounded = wanted.clamp(lower.into(), upper.into());
    let step = if bounded == wanted || options.saturate {
        // The bounds are 64-bit integers, but a value beyond one of them may be too far away from it.
        let applied = i64::try_from(bounded - i128::from(before)).map_err(|_| Error::OVERFLOW)?;
        Step { stored: true, value: bounded as i64, applied }
    } else {
        Step { stored: false, value: before, applied: 0 }
    };
    if step.stored {
        let mut digits = itoa::Buffer::new();
        let text = digits.format(step.value).as_bytes();
        store(cx, options, expiry, text, NewValue::Int(step.value), Event::INCRBY);
    }
    cx.reply.array(2);
    cx.reply.integer(step.value);
    cx.reply.integer(step.applied);
    Ok(())
}

fn by_float(cx: &mut Context<'_>, options: &Options<'_>, amount: &[u8]) -> CommandResult {
    let read = |name: &str, text: &[u8]| {
        LongDouble::parse(text).ok_or_else(|| Error::new(format!("ERR {name} is not a valid float")))
    };
    let amount = read("Increment", amount)?;
    if amount.is_infinite() {
        return Err(Error::fixed("ERR BYFLOAT increment cannot be Infinity"));
    }
    // The largest numbers are the bounds where none are given, and where these are infinite.
    let bound = |name: &str, text: Option<&[u8]>, default: LongDouble| {
        let bound = text.map(|text| read(name, text)).transpose()?;
        Ok::<_, Error>(bound.filter(|bound| !bound.is_infinite()).unwrap_or(default))
    };
    let lower = bound("LBOUND", options.lower, LongDouble::largest().negated())?;
    let upper = bound("UBOUND", options.upper, LongDouble::largest())?;
    if upper.is_less(&lower) {
        return Err(CROSSED_BOUNDS);
    }
    let expiry = expiry(cx, options)?;
    let key = cx.key(1);
    let before = match cx.db.peek(&key) {
        None => LongDouble::ZERO,
        Some(entry) => {
            LongDouble::parse(string_of(&entry)?.bytes(&mut itoa::Buffer::new())).ok_or(Error::NOT_A_FLOAT)?
        }
    };
    if before.is_infinite() {
        return Err(Error::fixed("ERR value cannot be Infinity"));
    }
    let not_a_number = || Error::fixed("ERR increment would produce NaN or Infinity");
    let wanted = before.add(&amount).ok_or_else(not_a_number)?;
    let bound = if wanted.is_less(&lower) {
        Some(lower)
    } else if upper.is_less(&wanted) {
        Some(upper)
    } else {
        None
    };
    let step = match bound {
        None => Step { stored: true, value: wanted, applied: amount },
        Some(bound) if options.saturate => {
            let applied = bound.add(&before.negated()).filter(|applied| !applied.is_infinite());
            Step { stored: true, value: bound, applied: applied.ok_or_else(not_a_number)? }
        }
        Some(_) => Step { stored: false, value: before, applied: LongDouble::ZERO },
    };
    let value = step.value.to_text().ok_or_else(not_a_number)?;
    let applied = step.applied.to_text().ok_or_else(not_a_number)?;
    if step.stored {
        store(cx, options, expiry, value.as_bytes(), NewValue::Str(value.as_bytes()), Event::INCRBYFLOAT);
    }
    cx.reply.array(2);
    reply_float(cx.reply, &value);
    reply_float(cx.reply, &applied);
    Ok(())
}

/// A number with more digits than a double has.
fn reply_float(reply: &mut Reply, text: &str) {
    match reply.resp() {
        Resp::V2 => reply.bulk_str(text),
        Resp::V3 => reply.raw(format!(",{text}\r\n").as_bytes()),
    }
}

fn expiry(cx: &Context<'_>, options: &Options<'_>) -> Result<Option<i64>, Error> {
    options.expiry.map(|(unit, text)| absolute(unit, text, cx.now_ms(), "increx")).transpose()
}

/// Stores the new value and changes the key's expiry, or removes the key if that time is over.
fn store(
    cx: &mut Context<'_>,
    options: &Options<'_>,
    expiry: Option<i64>,
    text: &[u8],
    value: NewValue<'_>,
    event: Event,
) {
    let key = cx.key(1);
    let expires = cx.db.peek(&key).is_some_and(|entry| entry.expiry().is_some());
    let expiry = expiry.filter(|_| !(options.only_timeless && expires));
    if expiry.is_some_and(|when| when <= cx.horizon_ms()) {
        let free = if cx.server.config.lazy_expire() { Free::Later } else { Free::Now };
        cx.db.remove(&key, free, Event::DEL);
        return journal::removal(cx.db, &key, free);
    }
    let dirty = cx.db.effects.dirty;
    let stored = cx.db.update(&key, event, |_| Ok::<_, Error>(value));
    debug_assert!(stored.is_ok(), "nothing is computed that could fail");
    if let Some(when) = expiry {
        cx.db.set_expiry(&key, Some(when), Event::EXPIRE);
    } else if options.persist && expires {
        cx.db.set_expiry(&key, None, Event::PERSIST);
    }
    // One change in all.
    cx.db.effects.dirty = dirty + 1;
    let ttl = match expiry {
        Some(when) => Ttl::At(when),
        None if options.persist => Ttl::Clear,
        None => Ttl::Keep,
    };
    written_as_set(cx.db, &key, text, ttl);
}
