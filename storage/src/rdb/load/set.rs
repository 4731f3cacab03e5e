//! Sets.

use super::{pack, packed};
use crate::rdb::{Cursor, Error};
use crate::set::{INTS, PACKED, Set, SetLimits};
use crate::value::Collection;

/// Members one by one.
pub fn members(from: &mut Cursor<'_>, limits: SetLimits) -> Result<Set, Error> {
    let count = from.elements()?;
    let mut set = Set::new();
    set.prepare(usize::try_from(count).unwrap_or(usize::MAX), limits);
    for _ in 0..count {
        if !set.add(&from.string()?, limits) {
            return Err(Error::Corrupt("Duplicate set members detected"));
        }
    }
    Ok(set)
}

/// An intset.
pub fn intset(from: &mut Cursor<'_>, limits: SetLimits) -> Result<Set, Error> {
    fitted(packed(INTS, from.string()?.into_owned(), "Intset integrity check failed")?, limits)
}

/// A listpack of members.
pub fn listpack(from: &mut Cursor<'_>, limits: SetLimits) -> Result<Set, Error> {
    fitted(packed(PACKED, pack(from.string()?)?, "Set listpack integrity check failed")?, limits)
}

/// A set that is no larger than small ones are.
fn fitted(mut set: Set, limits: SetLimits) -> Result<Set, Error> {
    set.prepare(set.as_ref().len(), limits);
    Ok(set)
}
