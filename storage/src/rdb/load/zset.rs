//! Sorted sets.

use std::borrow::Cow;
use std::cmp::Ordering;

use ahash::AHashSet;

use super::{pack, pack_of_ziplist, packed};
use crate::listpack::Item;
use crate::rdb::{Cursor, Error};
use crate::value::{Collection, PackLimits};
use crate::zset::Zset;

const TWICE: Error = Error::Corrupt("Duplicate zset fields detected");

/// Members and scores one by one, in any order.
pub fn elements<'a>(
    from: &mut Cursor<'a>,
    score: fn(&mut Cursor<'a>) -> Result<f64, Error>,
    limits: PackLimits,
) -> Result<Zset, Error> {
    let mut elements: Vec<(Cow<'a, [u8]>, f64)> = Vec::new();
    for _ in 0..from.elements()? {
        let (member, score) = (from.string()?, score(from)?);
        if score.is_nan() {
            return Err(Error::Corrupt("Zset with NAN score detected"));
        }
        elements.push((member, score));
    }
    // They are written from the highest to the lowest, mostly.
    elements.reverse();
    elements.sort_by(|(a, a_score), (b, b_score)| {
        a_score.partial_cmp(b_score).unwrap_or(Ordering::Equal).then_with(|| a.cmp(b))
    });
    let mut members = AHashSet::with_capacity(elements.len());
    if !elements.iter().all(|(member, _)| members.insert(&**member)) {
        return Err(TWICE);
    }
    drop(members);
    let elements = elements.iter().map(|(member, score)| (Item::Str(member), *score));
    Zset::from_sorted(elements, limits).ok_or(Error::Corrupt("Zset too large"))
}

/// A ziplist of members and scores.
pub fn ziplist(from: &mut Cursor<'_>, limits: PackLimits) -> Result<Zset, Error> {
    const PROBLEM: &str = "Zset ziplist integrity check failed";
    let pack = pack_of_ziplist(&from.string()?, PROBLEM)?;
    fitted(packed(0, pack.into_vec(), PROBLEM)?, limits)
}

/// A listpack of members and scores.
pub fn listpack(from: &mut Cursor<'_>, limits: PackLimits) -> Result<Zset, Error> {
    fitted(packed(0, pack(from.string()?)?, "Zset listpack integrity check failed")?, limits)
}

/// A sorted set that has no more elements than small ones have.
fn fitted(mut zset: Zset, limits: PackLimits) -> Result<Zset, Error> {
    zset.prepare(zset.as_ref().len(), 0, limits);
    Ok(zset)
}
