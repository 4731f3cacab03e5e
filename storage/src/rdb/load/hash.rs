//! Hashes.

use super::{pack, pack_of_ziplist, packed};
use crate::hash::{FieldTtl, Hash, MAX_EXPIRY};
use crate::rdb::legacy::read_zipmap;
use crate::rdb::{Cursor, Error};
use crate::value::{Collection, PackLimits};

const TWICE: Error = Error::Corrupt("Duplicate hash fields detected");
const NO_TIME: Error = Error::Corrupt("Hash field with an invalid expiration time");

/// An empty hash that is to get so many fields.
fn with_room(fields: u64, limits: PackLimits) -> Hash {
    let mut hash = Hash::new();
    hash.prepare(usize::try_from(fields).unwrap_or(usize::MAX), 0, limits);
    hash
}

/// Fields and values one by one.
pub fn fields(from: &mut Cursor<'_>, limits: PackLimits) -> Result<Hash, Error> {
    let count = from.elements()?;
    let mut hash = with_room(count, limits);
    for _ in 0..count {
        if !hash.set(&from.string()?, &from.string()?, FieldTtl::Clear, limits) {
            return Err(TWICE);
        }
    }
    Ok(hash)
}

/// Expiries, fields and values one by one. Expiries count from the earliest, which stands before all others, or, as
/// they first did, are Unix times.
pub fn timed_fields(from: &mut Cursor<'_>, relative: bool, limits: PackLimits) -> Result<Hash, Error> {
    let earliest = if relative { earliest(from)? } else { 1 };
    let count = from.elements()?;
    let mut hash = with_room(count, limits);
    hash.make_timed();
    for _ in 0..count {
        let ttl = match from.count()? {
            0 => FieldTtl::Clear,
            later => {
                let expiry = i64::try_from(later - 1).ok().and_then(|later| earliest.checked_add(later));
                FieldTtl::At(expiry.filter(|expiry| (1..=MAX_EXPIRY).contains(expiry)).ok_or(NO_TIME)?)
            }
        };
        if !hash.set(&from.string()?, &from.string()?, ttl, limits) {
            return Err(TWICE);
        }
    }
    Ok(hash)
}

/// When the first field expires; 0 if none does.
fn earliest(from: &mut Cursor<'_>) -> Result<i64, Error> {
    let earliest = from.int64()?;
    if (0..=MAX_EXPIRY).contains(&earliest) { Ok(earliest) } else { Err(NO_TIME) }
}

/// A listpack of fields, values and expiries; before it the earliest, which the first ones did without.
pub fn timed_listpack(from: &mut Cursor<'_>, tells_earliest: bool, limits: PackLimits) -> Result<Hash, Error> {
    if tells_earliest {
        // The listpack tells it, too.
        earliest(from)?;
    }
    let hash = Hash::timed_from(pack(from.string()?)?).ok_or(Error::Corrupt("Hash listpack integrity check failed"))?;
    fitted(hash, limits)
}

/// A zipmap.
pub fn zipmap(from: &mut Cursor<'_>, limits: PackLimits) -> Result<Hash, Error> {
    let (bytes, mut hash, mut twice) = (from.string()?, Hash::new(), false);
    let read = read_zipmap(&bytes, |field, value| twice |= !hash.set(field, value, FieldTtl::Clear, limits));
    match read {
        Some(()) if twice => Err(TWICE),
        Some(()) if !hash.is_empty() => Ok(hash),
        _ => Err(Error::Corrupt("Zipmap integrity check failed")),
    }
}

/// A ziplist of fields and values.
pub fn ziplist(from: &mut Cursor<'_>, limits: PackLimits) -> Result<Hash, Error> {
    const PROBLEM: &str = "Hash ziplist integrity check failed";
    let pack = pack_of_ziplist(&from.string()?, PROBLEM)?;
    fitted(packed(0, pack.into_vec(), PROBLEM)?, limits)
}

/// A listpack of fields and values.
pub fn listpack(from: &mut Cursor<'_>, limits: PackLimits) -> Result<Hash, Error> {
    fitted(packed(0, pack(from.string()?)?, "Hash listpack integrity check failed")?, limits)
}

/// A hash that has no more fields than small ones have.
fn fitted(mut hash: Hash, limits: PackLimits) -> Result<Hash, Error> {
    hash.prepare(hash.as_ref().len(), 0, limits);
    Ok(hash)
}
