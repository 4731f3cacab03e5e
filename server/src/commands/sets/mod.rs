//! The commands about sets.

mod combine;
mod random;
mod single;

use crate::command::{Arg, ArgKind, Categories, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::set;

/// The family's declarations.
pub const COMMANDS: &[Spec] = &[
    Spec::new("sadd", -3, single::sadd)
        .doc(
            Group::Set,
            "1.0.0",
            "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments",
            "Adds members to a set.",
        )
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::SET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | INSERT))])
        .history(&[("2.4.0", "Several members.")])
        .args(&[Arg::key("key", 0), Arg::new("member", ArgKind::String).multiple()]),
    Spec::new("scard", 2, single::scard)
        .doc(Group::Set, "1.0.0", "O(1)", "Counts the members of a set.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::SET)
        .keys(&[KeySpec::at(1, KeyFlags::RO)])
        .args(&[Arg::key("key", 0)]),
    Spec::new("sdiff", -2, combine::sdiff)
        .doc(
            Group::Set,
            "1.0.0",
            "O(N) where N is the total number of elements in all given sets",
            "Lists the members of the first set that are in none of the others.",
        )
        .flags(Flags::READONLY)
        .acl(Categories::SET)
        .keys(&[KeySpec::range(1, -1, 1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output_order"])
        .args(&[Arg::key("key", 0).multiple()]),
    Spec::new("sdiffstore", -3, combine::sdiffstore)
        .doc(
            Group::Set,
            "1.0.0",
            "O(N) where N is the total number of elements in all given sets",
            "Stores the members of the first set that are in none of the others.",
        )
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::SET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: OW | UPDATE)), KeySpec::range(2, -1, 1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("destination", 0), Arg::key("key", 1).multiple()]),
    Spec::new("sinter", -2, combine::sinter)
        .doc(
            Group::Set,
            "1.0.0",
            "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets",
            "Lists the members that all sets have.",
        )
        .flags(Flags::READONLY)
        .acl(Categories::SET)
        .keys(&[KeySpec::range(1, -1, 1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output_order"])
        .args(&[Arg::key("key", 0).multiple()]),
    Spec::new("sintercard", -3, combine::sintercard)
        .doc(
            Group::Set,
            "7.0.0",
            "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets",
            "Counts the members that all sets have.",
        )
        .flags(set!(Flags: READONLY | MOVABLE_KEYS))
        .acl(Categories::SET)
        .keys(&[KeySpec::counted(1, 1, set!(KeyFlags: RO | ACCESS))])
        .args(&[
            Arg::new("numkeys", ArgKind::Integer),
            Arg::key("key", 0).multiple(),
            Arg::new("limit", ArgKind::Integer).token("LIMIT").optional(),
        ]),
    Spec::new("sinterstore", -3, combine::sinterstore)
        .doc(
            Group::Set,
            "1.0.0",
            "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets",
            "Stores the members that all sets have.",
        )
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::SET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: OW | UPDATE)), KeySpec::range(2, -1, 1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("destination", 0), Arg::key("key", 1).multiple()]),
    Spec::new("sismember", 3, single::sismember)
        .doc(Group::Set, "1.0.0", "O(1)", "Tells whether a set has a member.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::SET)
        .keys(&[KeySpec::at(1, KeyFlags::RO)])
        .args(&[Arg::key("key", 0), Arg::new("member", ArgKind::String)]),
    Spec::new("smembers", 2, single::smembers)
        .doc(Group::Set, "1.0.0", "O(N) where N is the set cardinality", "Lists the members of a set.")
        .flags(Flags::READONLY)
        .acl(Categories::SET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output_order"])
        .args(&[Arg::key("key", 0)]),
    Spec::new("smismember", -3, single::smismember)
        .doc(
            Group::Set,
            "6.2.0",
            "O(N) where N is the number of elements being checked for membership",
            "Tells of several members whether a set has them.",
        )
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::SET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0), Arg::new("member", ArgKind::String).multiple()]),
    Spec::new("smove", 4, single::smove)
        .doc(Group::Set, "1.0.0", "O(1)", "Moves a member to another set.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::SET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | DELETE)), KeySpec::at(2, set!(KeyFlags: RW | INSERT))])
        .args(&[Arg::key("source", 0), Arg::key("destination", 1), Arg::new("member", ArgKind::String)]),
    Spec::new("spop", -2, random::spop)
        .doc(
            Group::Set,
            "1.0.0",
            "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
            "Takes random members out of a set.",
        )
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::SET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | DELETE))])
        .tips(&["nondeterministic_output"])
        .history(&[("3.2.0", "The count.")])
        .args(&[Arg::key("key", 0), Arg::new("count", ArgKind::Integer).optional().since("3.2.0")]),
    Spec::new("srandmember", -2, random::srandmember)
        .doc(
            Group::Set,
            "1.0.0",
            "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
            "Picks members of a set at random.",
        )
        .flags(Flags::READONLY)
        .acl(Categories::SET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output"])
        .history(&[("2.6.0", "The count.")])
        .args(&[Arg::key("key", 0), Arg::new("count", ArgKind::Integer).optional().since("2.6.0")]),
    Spec::new("srem", -3, single::srem)
        .doc(Group::Set, "1.0.0", "O(N) where N is the number of members to be removed", "Removes members from a set.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::SET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | DELETE))])
        .history(&[("2.4.0", "Several members.")])
        .args(&[Arg::key("key", 0), Arg::new("member", ArgKind::String).multiple()]),
    Spec::new("sscan", -3, single::sscan)
        .doc(Group::Set, "2.8.0", "O(1) for every call", "Lists the members of a set bit by bit.")
        .flags(Flags::READONLY)
        .acl(Categories::SET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output"])
        .args(&[
            Arg::key("key", 0),
            Arg::new("cursor", ArgKind::Integer),
            Arg::new("pattern", ArgKind::Pattern).token("MATCH").optional(),
            Arg::new("count", ArgKind::Integer).token("COUNT").optional(),
        ]),
    Spec::new("sunion", -2, combine::sunion)
        .doc(
            Group::Set,
            "1.0.0",
            "O(N) where N is the total number of elements in all given sets",
            "Lists the members that any of the sets has.",
        )
        .flags(Flags::READONLY)
        .acl(Categories::SET)
        .keys(&[KeySpec::range(1, -1, 1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output_order"])
        .args(&[Arg::key("key", 0).multiple()]),
    Spec::new("sunionstore", -3, combine::sunionstore)
        .doc(
            Group::Set,
            "1.0.0",
            "O(N) where N is the total number of elements in all given sets",
            "Stores the members that any of the sets has.",
        )
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::SET)
        .keys(&[KeySpec::at(1, set!(KeyFlags: OW | UPDATE)), KeySpec::range(2, -1, 1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("destination", 0), Arg::key("key", 1).multiple()]),
    Spec::new("sunioncard", -3, combine::sunioncard)
        .doc(
            Group::Set,
            "8.10.0",
            "O(N) where N is the number of members of all sets",
            "Counts the members that any of the sets has.",
        )
        .flags(set!(Flags: READONLY | MOVABLE_KEYS))
        .acl(Categories::SET)
        .keys(&[KeySpec::counted(1, 1, set!(KeyFlags: RO | ACCESS))])
        .args(&[
            Arg::new("numkeys", ArgKind::Integer),
            Arg::key("key", 0).multiple(),
            Arg::flag("approx", "APPROX").optional(),
            Arg::new("limit", ArgKind::Integer).token("LIMIT").optional(),
        ]),
    Spec::new("sdiffcard", -3, combine::sdiffcard)
        .doc(
            Group::Set,
            "8.10.0",
            "O(N) where N is the number of members of all sets",
            "Counts the members of the first set that are in none of the others.",
        )
        .flags(set!(Flags: READONLY | MOVABLE_KEYS))
        .acl(Categories::SET)
        .keys(&[KeySpec::counted(1, 1, set!(KeyFlags: RO | ACCESS))])
        .args(&[
            Arg::new("numkeys", ArgKind::Integer),
            Arg::key("key", 0).multiple(),
            Arg::new("limit", ArgKind::Integer).token("LIMIT").optional(),
        ]),
];
