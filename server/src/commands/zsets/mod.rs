//! The commands about sorted sets.

pub(super) mod add;
pub(super) mod bounds;
mod combine;
mod pop;
mod range;
mod single;

use std::cmp::Ordering;

use protocol::Reply;
use storage::PackLimits;
use storage::listpack::Item;
use storage::zset::Zset;

use super::elements;
use crate::command::{Arg, ArgKind, Categories, Error, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::set;

/// The family's declarations.
pub const COMMANDS: &[Spec] = &[
    Spec::new("bzmpop", -5, pop::bzmpop)
        .doc(Group::SortedSet, "7.0.0", "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped", "Takes elements from the first of several sorted sets that has any; waits for one.")
        .flags(set!(Flags: WRITE | BLOCKING | MOVABLE_KEYS))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::counted(2, 1, set!(KeyFlags: RW | ACCESS | DELETE))])
        .args(&[Arg::new("timeout", ArgKind::Double), Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 0).multiple(), Arg::one_of("where", &[Arg::flag("min", "MIN"), Arg::flag("max", "MAX")]), Arg::new("count", ArgKind::Integer).token("COUNT").optional()]),
    Spec::new("bzpopmax", -3, pop::bzpopmax)
        .doc(Group::SortedSet, "5.0.0", "O(log(N)) with N being the number of elements in the sorted set", "Takes the element with the highest score; waits for one.")
        .flags(set!(Flags: WRITE | BLOCKING | FAST))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::range(1, -2, 1, set!(KeyFlags: RW | ACCESS | DELETE))])
        .history(&[("6.0.0", "The timeout may have a fraction.")])
        .args(&[Arg::key("key", 0).multiple(), Arg::new("timeout", ArgKind::Double)]),
    Spec::new("bzpopmin", -3, pop::bzpopmin)
        .doc(Group::SortedSet, "5.0.0", "O(log(N)) with N being the number of elements in the sorted set", "Takes the element with the lowest score; waits for one.")
        .flags(set!(Flags: WRITE | BLOCKING | FAST))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::range(1, -2, 1, set!(KeyFlags: RW | ACCESS | DELETE))])
        .history(&[("6.0.0", "The timeout may have a fraction.")])
        .args(&[Arg::key("key", 0).multiple(), Arg::new("timeout", ArgKind::Double)]),
    Spec::new("zadd", -4, add::zadd)
        .doc(Group::SortedSet, "1.2.0", "O(log(N)) for each item added, where N is the number of elements in the sorted set", "Adds members to a sorted set, or changes their scores.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .history(&[("2.4.0", "Several members."), ("3.0.2", "The options `XX`, `NX`, `CH` and `INCR`."), ("6.2.0", "The options `GT` and `LT`.")])
        .args(&[Arg::key("key", 0), Arg::one_of("condition", &[Arg::flag("nx", "NX"), Arg::flag("xx", "XX")]).optional().since("3.0.2"), Arg::one_of("comparison", &[Arg::flag("gt", "GT"), Arg::flag("lt", "LT")]).optional().since("6.2.0"), Arg::flag("change", "CH").optional().since("3.0.2"), Arg::flag("increment", "INCR").optional().since("3.0.2"), Arg::block("data", &[Arg::new("score", ArgKind::Double), Arg::new("member", ArgKind::String)]).multiple()]),
    Spec::new("zcard", 2, single::zcard)
        .doc(Group::SortedSet, "1.2.0", "O(1)", "Counts the members of a sorted set.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, KeyFlags::RO)])
        .args(&[Arg::key("key", 0)]),
    Spec::new("zcount", 4, range::zcount)
        .doc(Group::SortedSet, "2.0.0", "O(log(N)) with N being the number of elements in the sorted set", "Counts the members within a range of scores.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0), Arg::new("min", ArgKind::Double), Arg::new("max", ArgKind::Double)]),
    Spec::new("zdiff", -3, combine::zdiff)
        .doc(Group::SortedSet, "6.2.0", "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set", "Lists the members of the first sorted set that are in none of the others.")
        .flags(set!(Flags: READONLY | MOVABLE_KEYS))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::counted(1, 1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 0).multiple(), Arg::flag("withscores", "WITHSCORES").optional()]),
    Spec::new("zdiffstore", -4, combine::zdiffstore)
        .doc(Group::SortedSet, "6.2.0", "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set", "Stores the members of the first sorted set that are in none of the others.")
        .flags(set!(Flags: WRITE | DENYOOM | MOVABLE_KEYS))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: OW | UPDATE)), KeySpec::counted(2, 1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("destination", 0), Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 1).multiple()]),
    Spec::new("zincrby", 4, add::zincrby)
        .doc(Group::SortedSet, "1.2.0", "O(log(N)) where N is the number of elements in the sorted set", "Adds to the score of a member.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE))])
        .args(&[Arg::key("key", 0), Arg::new("increment", ArgKind::Integer), Arg::new("member", ArgKind::String)]),
    Spec::new("zinter", -3, combine::zinter)
        .doc(Group::SortedSet, "6.2.0", "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set", "Lists the members that all sorted sets have.")
        .flags(set!(Flags: READONLY | MOVABLE_KEYS))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::counted(1, 1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 0).multiple(), Arg::new("weight", ArgKind::Integer).token("WEIGHTS").optional().multiple(), Arg::one_of("aggregate", &[Arg::flag("sum", "SUM"), Arg::flag("min", "MIN"), Arg::flag("max", "MAX")]).token("AGGREGATE").optional(), Arg::flag("withscores", "WITHSCORES").optional()]),
    Spec::new("zintercard", -3, combine::zintercard)
        .doc(Group::SortedSet, "7.0.0", "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets", "Counts the members that all sorted sets have.")
        .flags(set!(Flags: READONLY | MOVABLE_KEYS))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::counted(1, 1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 0).multiple(), Arg::new("limit", ArgKind::Integer).token("LIMIT").optional()]),
    Spec::new("zinterstore", -4, combine::zinterstore)
        .doc(Group::SortedSet, "2.0.0", "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set", "Stores the members that all sorted sets have.")
        .flags(set!(Flags: WRITE | DENYOOM | MOVABLE_KEYS))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: OW | UPDATE)), KeySpec::counted(2, 1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("destination", 0), Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 1).multiple(), Arg::new("weight", ArgKind::Integer).token("WEIGHTS").optional().multiple(), Arg::one_of("aggregate", &[Arg::flag("sum", "SUM"), Arg::flag("min", "MIN"), Arg::flag("max", "MAX")]).token("AGGREGATE").optional()]),
    Spec::new("zlexcount", 4, range::zlexcount)
        .doc(Group::SortedSet, "2.8.9", "O(log(N)) with N being the number of elements in the sorted set", "Counts the members within a range of names.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0), Arg::new("min", ArgKind::String), Arg::new("max", ArgKind::String)]),
    Spec::new("zmpop", -4, pop::zmpop)
        .doc(Group::SortedSet, "7.0.0", "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped", "Takes elements from the first of several sorted sets that has any.")
        .flags(set!(Flags: WRITE | MOVABLE_KEYS))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::counted(1, 1, set!(KeyFlags: RW | ACCESS | DELETE))])
        .args(&[Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 0).multiple(), Arg::one_of("where", &[Arg::flag("min", "MIN"), Arg::flag("max", "MAX")]), Arg::new("count", ArgKind::Integer).token("COUNT").optional()]),
    Spec::new("zmscore", -3, single::zmscore)
        .doc(Group::SortedSet, "6.2.0", "O(N) where N is the number of members being requested", "Tells the scores of several members.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0), Arg::new("member", ArgKind::String).multiple()]),
    Spec::new("zpopmax", -2, pop::zpopmax)
        .doc(Group::SortedSet, "5.0.0", "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped", "Takes the elements with the highest scores.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | DELETE))])
        .args(&[Arg::key("key", 0), Arg::new("count", ArgKind::Integer).optional()]),
    Spec::new("zpopmin", -2, pop::zpopmin)
        .doc(Group::SortedSet, "5.0.0", "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped", "Takes the elements with the lowest scores.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | DELETE))])
        .args(&[Arg::key("key", 0), Arg::new("count", ArgKind::Integer).optional()]),
    Spec::new("zrandmember", -2, single::zrandmember)
        .doc(Group::SortedSet, "6.2.0", "O(N) where N is the number of members returned", "Picks members of a sorted set at random.")
        .flags(Flags::READONLY)
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output"])
        .args(&[Arg::key("key", 0), Arg::block("options", &[Arg::new("count", ArgKind::Integer), Arg::flag("withscores", "WITHSCORES").optional()]).optional()]),
    Spec::new("zrange", -4, range::zrange)
        .doc(Group::SortedSet, "1.2.0", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned", "Lists the members within a range of ranks, scores or names.")
        .flags(Flags::READONLY)
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .history(&[("6.2.0", "The options `REV`, `BYSCORE`, `BYLEX` and `LIMIT`.")])
        .args(&[Arg::key("key", 0), Arg::new("start", ArgKind::String), Arg::new("stop", ArgKind::String), Arg::one_of("sortby", &[Arg::flag("byscore", "BYSCORE"), Arg::flag("bylex", "BYLEX")]).optional().since("6.2.0"), Arg::flag("rev", "REV").optional().since("6.2.0"), Arg::block("limit", &[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)]).token("LIMIT").optional().since("6.2.0"), Arg::flag("withscores", "WITHSCORES").optional()]),
    Spec::new("zrangebylex", -4, range::zrangebylex)
        .doc(Group::SortedSet, "2.8.9", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned", "Lists the members within a range of names.")
        .flags(Flags::READONLY)
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .deprecated("6.2.0", "`ZRANGE` with the `BYLEX` argument")
        .args(&[Arg::key("key", 0), Arg::new("min", ArgKind::String), Arg::new("max", ArgKind::String), Arg::block("limit", &[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)]).token("LIMIT").optional()]),
    Spec::new("zrangebyscore", -4, range::zrangebyscore)
        .doc(Group::SortedSet, "1.0.5", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned", "Lists the members within a range of scores.")
        .flags(Flags::READONLY)
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .deprecated("6.2.0", "`ZRANGE` with the `BYSCORE` argument")
        .history(&[("2.0.0", "The option `WITHSCORES`.")])
        .args(&[Arg::key("key", 0), Arg::new("min", ArgKind::Double), Arg::new("max", ArgKind::Double), Arg::flag("withscores", "WITHSCORES").optional().since("2.0.0"), Arg::block("limit", &[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)]).token("LIMIT").optional()]),
    Spec::new("zrangestore", -5, range::zrangestore)
        .doc(Group::SortedSet, "6.2.0", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored into the destination key", "Stores the members within a range of ranks, scores or names.")
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: OW | UPDATE)), KeySpec::at(2, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("dst", 0), Arg::key("src", 1), Arg::new("min", ArgKind::String), Arg::new("max", ArgKind::String), Arg::one_of("sortby", &[Arg::flag("byscore", "BYSCORE"), Arg::flag("bylex", "BYLEX")]).optional(), Arg::flag("rev", "REV").optional(), Arg::block("limit", &[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)]).token("LIMIT").optional()]),
    Spec::new("zrank", -3, single::zrank)
        .doc(Group::SortedSet, "2.0.0", "O(log(N))", "Tells the rank of a member.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .history(&[("7.2.0", "The option `WITHSCORE`.")])
        .args(&[Arg::key("key", 0), Arg::new("member", ArgKind::String), Arg::flag("withscore", "WITHSCORE").optional()]),
    Spec::new("zrem", -3, add::zrem)
        .doc(Group::SortedSet, "1.2.0", "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be removed", "Removes members from a sorted set.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | DELETE))])
        .history(&[("2.4.0", "Several members.")])
        .args(&[Arg::key("key", 0), Arg::new("member", ArgKind::String).multiple()]),
    Spec::new("zremrangebylex", 4, range::zremrangebylex)
        .doc(Group::SortedSet, "2.8.9", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation", "Removes the members within a range of names.")
        .flags(Flags::WRITE)
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | DELETE))])
        .args(&[Arg::key("key", 0), Arg::new("min", ArgKind::String), Arg::new("max", ArgKind::String)]),
    Spec::new("zremrangebyrank", 4, range::zremrangebyrank)
        .doc(Group::SortedSet, "2.0.0", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation", "Removes the members within a range of ranks.")
        .flags(Flags::WRITE)
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | DELETE))])
        .args(&[Arg::key("key", 0), Arg::new("start", ArgKind::Integer), Arg::new("stop", ArgKind::Integer)]),
    Spec::new("zremrangebyscore", 4, range::zremrangebyscore)
        .doc(Group::SortedSet, "1.2.0", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation", "Removes the members within a range of scores.")
        .flags(Flags::WRITE)
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | DELETE))])
        .args(&[Arg::key("key", 0), Arg::new("min", ArgKind::Double), Arg::new("max", ArgKind::Double)]),
    Spec::new("zrevrange", -4, range::zrevrange)
        .doc(Group::SortedSet, "1.2.0", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned", "Lists the members within a range of ranks, the highest score first.")
        .flags(Flags::READONLY)
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .deprecated("6.2.0", "`ZRANGE` with the `REV` argument")
        .args(&[Arg::key("key", 0), Arg::new("start", ArgKind::Integer), Arg::new("stop", ArgKind::Integer), Arg::flag("withscores", "WITHSCORES").optional()]),
    Spec::new("zrevrangebylex", -4, range::zrevrangebylex)
        .doc(Group::SortedSet, "2.8.9", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned", "Lists the members within a range of names, the last one first.")
        .flags(Flags::READONLY)
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments")
        .args(&[Arg::key("key", 0), Arg::new("max", ArgKind::String), Arg::new("min", ArgKind::String), Arg::block("limit", &[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)]).token("LIMIT").optional()]),
    Spec::new("zrevrangebyscore", -4, range::zrevrangebyscore)
        .doc(Group::SortedSet, "2.2.0", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned", "Lists the members within a range of scores, the highest first.")
        .flags(Flags::READONLY)
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")
        .history(&[("2.1.6", "The minimum and maximum may be exclusive.")])
        .args(&[Arg::key("key", 0), Arg::new("max", ArgKind::Double), Arg::new("min", ArgKind::Double), Arg::flag("withscores", "WITHSCORES").optional(), Arg::block("limit", &[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)]).token("LIMIT").optional()]),
    Spec::new("zrevrank", -3, single::zrevrank)
        .doc(Group::SortedSet, "2.0.0", "O(log(N))", "Tells the rank of a member, counted from the highest score.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .history(&[("7.2.0", "The option `WITHSCORE`.")])
        .args(&[Arg::key("key", 0), Arg::new("member", ArgKind::String), Arg::flag("withscore", "WITHSCORE").optional()]),
    Spec::new("zscan", -3, single::zscan)
        .doc(Group::SortedSet, "2.8.0", "O(1) for every call", "Lists the members and scores of a sorted set bit by bit.")
        .flags(Flags::READONLY)
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output"])
        .args(&[Arg::key("key", 0), Arg::new("cursor", ArgKind::Integer), Arg::new("pattern", ArgKind::Pattern).token("MATCH").optional(), Arg::new("count", ArgKind::Integer).token("COUNT").optional()]),
    Spec::new("zscore", 3, single::zscore)
        .doc(Group::SortedSet, "1.2.0", "O(1)", "Tells the score of a member.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0), Arg::new("member", ArgKind::String)]),
    Spec::new("zunion", -3, combine::zunion)
        .doc(Group::SortedSet, "6.2.0", "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set", "Lists the members that any of the sorted sets has.")
        .flags(set!(Flags: READONLY | MOVABLE_KEYS))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::counted(1, 1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 0).multiple(), Arg::new("weight", ArgKind::Integer).token("WEIGHTS").optional().multiple(), Arg::one_of("aggregate", &[Arg::flag("sum", "SUM"), Arg::flag("min", "MIN"), Arg::flag("max", "MAX")]).token("AGGREGATE").optional(), Arg::flag("withscores", "WITHSCORES").optional()]),
    Spec::new("zunionstore", -4, combine::zunionstore)
        .doc(Group::SortedSet, "2.0.0", "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set", "Stores the members that any of the sorted sets has.")
        .flags(set!(Flags: WRITE | DENYOOM | MOVABLE_KEYS))
        .acl(Categories::SORTEDSET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: OW | UPDATE)), KeySpec::counted(2, 1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("destination", 0), Arg::new("numkeys", ArgKind::Integer), Arg::key("key", 1).multiple(), Arg::new("weight", ArgKind::Integer).token("WEIGHTS").optional().multiple(), Arg::one_of("aggregate", &[Arg::flag("sum", "SUM"), Arg::flag("min", "MIN"), Arg::flag("max", "MAX")]).token("AGGREGATE").optional()]),
];

/// Brings elements into the order of sorted sets.
fn sort(elements: &mut [(Item<'_>, f64)]) {
    let (mut digits, mut others) = (itoa::Buffer::new(), itoa::Buffer::new());
    elements.sort_unstable_by(|(a, one), (b, other)| {
        // No score is anything but a number.
        let by_score = one.partial_cmp(other).unwrap_or(Ordering::Equal);
        by_score.then_with(|| a.bytes(&mut digits).cmp(b.bytes(&mut others)))
    });
}

/// A sorted set of elements that differ. To put them in order first is a multiple faster than to insert them one by one.
pub(in crate::commands) fn from_unsorted(
    mut elements: Vec<(Item<'_>, f64)>,
    limits: PackLimits,
) -> Result<Zset, Error> {
    sort(&mut elements);
    from_sorted(&elements, limits)
}

/// A sorted set of elements that are in order and differ.
fn from_sorted(elements: &[(Item<'_>, f64)], limits: PackLimits) -> Result<Zset, Error> {
    Zset::from_sorted(elements.iter().copied(), limits).ok_or(Error::TOO_LARGE)
}

/// How members are answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Members,
    /// Members and scores one after the other, in RESP3 pair by pair.
    Scores,
}

impl Form {
    /// Begins an array of so many elements.
    fn begin(self, reply: &mut Reply, count: usize) {
        let flat = self == Form::Scores && reply.resp() == protocol::Resp::V2;
        reply.array(if flat { count * 2 } else { count });
    }

    fn element(self, reply: &mut Reply, (member, score): (Item<'_>, f64)) {
        if self == Form::Scores && reply.resp() == protocol::Resp::V3 {
            reply.array(2);
        }
        elements::reply_item(reply, member);
        if self == Form::Scores {
            reply.double(score);
        }
    }
}
