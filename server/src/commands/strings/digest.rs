//! Comparing strings with what a client expects: by value, or by a fingerprint of it.

use storage::{Event, Free, StrRef};
use xxhash_rust::xxh3::xxh3_64;

use super::options::Condition;
use super::string_of;
use crate::command::{CommandResult, Context, Error};
use crate::journal;

/// The fingerprint of a string, as 16 hexadecimal digits.
fn fingerprint(string: StrRef<'_>) -> String {
    format!("{:016x}", xxh3_64(string.bytes(&mut itoa::Buffer::new())))
}

pub(super) fn digest(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    match cx.db.read(&key) {
        None => cx.reply.null(),
        Some(entry) => cx.reply.bulk(fingerprint(string_of(&entry)?).as_bytes()),
    }
    Ok(())
}

/// Whether a string satisfies a condition that compares.
pub(super) fn satisfies(string: StrRef<'_>, condition: &Condition<'_>) -> Result<bool, Error> {
    let equals = |value: &[u8]| string.bytes(&mut itoa::Buffer::new()) == value;
    Ok(match condition {
        Condition::Equals(value) => equals(value),
        Condition::Differs(value) => !equals(value),
        Condition::DigestEquals(digest) => has_fingerprint(string, digest)?,
        Condition::DigestDiffers(digest) => !has_fingerprint(string, digest)?,
        Condition::Always | Condition::Exists => true,
        Condition::Missing => false,
    })
}

/// Whether a missing key satisfies a condition that compares.
pub(super) fn missing_satisfies(condition: &Condition<'_>) -> Result<bool, Error> {
    if let Condition::DigestEquals(digest) | Condition::DigestDiffers(digest) = condition {
        check_digest(digest)?;
    }
    Ok(matches!(condition, Condition::Differs(_) | Condition::DigestDiffers(_)))
}

fn has_fingerprint(string: StrRef<'_>, digest: &[u8]) -> Result<bool, Error> {
    check_digest(digest)?;
    Ok(fingerprint(string).as_bytes().eq_ignore_ascii_case(digest))
}

fn check_digest(digest: &[u8]) -> Result<(), Error> {
    if digest.len() == 16 && digest.iter().all(u8::is_ascii_hexdigit) {
        return Ok(());
    }
    Err(Error::fixed("ERR digest must be exactly 16 hexadecimal characters"))
}

pub(super) fn delex(cx: &mut Context<'_>) -> CommandResult {
    let condition = match cx.args.len() {
        2 => Condition::Always,
        4 => Condition::comparing(cx.arg(2), cx.arg(3)).ok_or(Error::SYNTAX)?,
        _ => return Err(Error::wrong_arity("delex")),
    };
    remove_if(cx, condition)
}

pub(super) fn delifeq(cx: &mut Context<'_>) -> CommandResult {
    remove_if(cx, Condition::Equals(cx.arg(2)))
}

fn remove_if(cx: &mut Context<'_>, condition: Condition<'_>) -> CommandResult {
    let key = cx.key(1);
    let holds = match cx.db.peek(&key) {
        None => false,
        Some(entry) => satisfies(string_of(&entry)?, &condition)?,
    };
    if holds {
        cx.db.remove(&key, Free::Now, Event::DEL);
        journal::removal(cx.db, &key, Free::Now);
    }
    cx.reply.integer(holds.into());
    Ok(())
}
