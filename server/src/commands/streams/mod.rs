//! The commands about streams.

mod add;
mod claim;
mod delete;
mod groups;
mod handed;
mod id;
mod info;
mod pending;
mod range;
mod read;

use crate::command::{Arg, ArgKind, Categories, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::set;

/// What becomes of groups' references to entries that are deleted.
const REFERENCES: Arg = Arg::one_of(
    "condition",
    &[Arg::flag("keepref", "KEEPREF"), Arg::flag("delref", "DELREF"), Arg::flag("acked", "ACKED")],
)
.optional()
.since("8.2.0");

const IDS: Arg =
    Arg::block("ids", &[Arg::new("numids", ArgKind::Integer), Arg::new("id", ArgKind::String).multiple()]).token("IDS");

/// The family's declarations.
pub const COMMANDS: &[Spec] = &[
    Spec::new("xack", -4, pending::xack)
        .doc(Group::Stream, "5.0.0", "O(1) for each message ID processed", "Acknowledges entries that were delivered to a consumer of a group.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::STREAM)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .args(&[Arg::key("key", 0), Arg::new("group", ArgKind::String), Arg::new("id", ArgKind::String).multiple()]),
    Spec::new("xackdel", -6, delete::xackdel)
        .doc(Group::Stream, "8.2.0", "O(1) for each ID", "Acknowledges entries and deletes them from the stream.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::STREAM)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE | DELETE))])
        .args(&[Arg::key("key", 0), Arg::new("group", ArgKind::String), REFERENCES, IDS]),
    Spec::new("xadd", -5, add::xadd)
        .doc(Group::Stream, "5.0.0", "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted", "Adds an entry to a stream.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::STREAM)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE)).note("UPDATE instead of INSERT because of the optional trimming feature")])
        .tips(&["nondeterministic_output"])
        .history(&[("6.2.0", "The options `NOMKSTREAM`, `MINID` and `LIMIT`."), ("7.0.0", "IDs of which only the milliseconds are given: `<ms>-*`.")])
        .args(&[Arg::key("key", 0), Arg::flag("nomkstream", "NOMKSTREAM").optional().since("6.2.0"), Arg::block("trim", &[Arg::one_of("strategy", &[Arg::flag("maxlen", "MAXLEN"), Arg::flag("minid", "MINID").since("6.2.0")]), Arg::one_of("operator", &[Arg::flag("equal", "="), Arg::flag("approximately", "~")]).optional(), Arg::new("threshold", ArgKind::String), Arg::new("count", ArgKind::Integer).token("LIMIT").optional().since("6.2.0")]).optional(), REFERENCES, Arg::one_of("id-selector", &[Arg::flag("auto-id", "*"), Arg::new("id", ArgKind::String)]), Arg::block("data", &[Arg::new("field", ArgKind::String), Arg::new("value", ArgKind::String)]).multiple()]),
    Spec::new("xautoclaim", -6, claim::xautoclaim)
        .doc(Group::Stream, "6.2.0", "O(1) if COUNT is small", "Gives a consumer the entries that others of its group have been holding for long.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::STREAM)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | DELETE))])
        .tips(&["nondeterministic_output"])
        .history(&[("7.0.0", "A third element: the IDs of entries that are deleted.")])
        .args(&[Arg::key("key", 0), Arg::new("group", ArgKind::String), Arg::new("consumer", ArgKind::String), Arg::new("min-idle-time", ArgKind::String), Arg::new("start", ArgKind::String), Arg::new("count", ArgKind::Integer).token("COUNT").optional(), Arg::flag("justid", "JUSTID").optional()]),
    Spec::new("xclaim", -6, claim::xclaim)
        .doc(Group::Stream, "5.0.0", "O(log N) with N being the number of messages in the PEL of the consumer group", "Gives a consumer entries that others of its group have been holding.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::STREAM)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .tips(&["nondeterministic_output"])
        .args(&[Arg::key("key", 0), Arg::new("group", ArgKind::String), Arg::new("consumer", ArgKind::String), Arg::new("min-idle-time", ArgKind::String), Arg::new("id", ArgKind::String).multiple(), Arg::new("ms", ArgKind::Integer).token("IDLE").optional(), Arg::new("unix-time-milliseconds", ArgKind::UnixTime).token("TIME").optional(), Arg::new("count", ArgKind::Integer).token("RETRYCOUNT").optional(), Arg::flag("force", "FORCE").optional(), Arg::flag("justid", "JUSTID").optional(), Arg::new("lastid", ArgKind::String).token("LASTID").optional()]),
    Spec::new("xdel", -3, delete::xdel)
        .doc(Group::Stream, "5.0.0", "O(1) for each single item to delete in the stream, regardless of the stream size", "Deletes entries of a stream.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::STREAM)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | DELETE))])
        .args(&[Arg::key("key", 0), Arg::new("id", ArgKind::String).multiple()]),
    Spec::new("xdelex", -5, delete::xdelex)
        .doc(Group::Stream, "8.2.0", "O(1) for each ID", "Deletes entries of a stream, and what refers to them.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::STREAM)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | DELETE))])
        .args(&[Arg::key("key", 0), REFERENCES, IDS]),
    Spec::container("xgroup", &[
        Spec::new("help", 2, groups::help)
            .doc(Group::Stream, "5.0.0", "O(1)", "Groups of consumers.")
            .flags(set!(Flags: LOADING | STALE))
            .acl(Categories::STREAM),
        Spec::new("create", -5, groups::create)
            .doc(Group::Stream, "5.0.0", "O(1)", "Makes a group of consumers.")
            .flags(set!(Flags: WRITE | DENYOOM))
            .acl(Categories::STREAM)
            .keys(&[KeySpec::at(2, set!(KeyFlags: RW | INSERT))])
            .history(&[("7.0.0", "The option `ENTRIESREAD`.")])
            .args(&[Arg::key("key", 0), Arg::new("group", ArgKind::String), Arg::one_of("id-selector", &[Arg::new("id", ArgKind::String), Arg::flag("new-id", "$")]), Arg::flag("mkstream", "MKSTREAM").optional(), Arg::new("entriesread", ArgKind::Integer).token("ENTRIESREAD").optional()]),
        Spec::new("setid", -5, groups::setid)
            .doc(Group::Stream, "5.0.0", "O(1)", "Sets up to which entry a group has read.")
            .flags(Flags::WRITE)
            .acl(Categories::STREAM)
            .keys(&[KeySpec::at(2, set!(KeyFlags: RW | UPDATE))])
            .history(&[("7.0.0", "The option `ENTRIESREAD`.")])
            .args(&[Arg::key("key", 0), Arg::new("group", ArgKind::String), Arg::one_of("id-selector", &[Arg::new("id", ArgKind::String), Arg::flag("new-id", "$")]), Arg::new("entriesread", ArgKind::Integer).token("ENTRIESREAD").optional()]),
        Spec::new("delconsumer", 5, groups::delconsumer)
            .doc(Group::Stream, "5.0.0", "O(1)", "Removes a consumer from a group.")
            .flags(Flags::WRITE)
            .acl(Categories::STREAM)
            .keys(&[KeySpec::at(2, set!(KeyFlags: RW | DELETE))])
            .args(&[Arg::key("key", 0), Arg::new("group", ArgKind::String), Arg::new("consumer", ArgKind::String)]),
        Spec::new("destroy", 4, groups::destroy)
            .doc(Group::Stream, "5.0.0", "O(N) where N is the number of entries in the group's pending entries list (PEL).", "Removes a group.")
            .flags(Flags::WRITE)
            .acl(Categories::STREAM)
            .keys(&[KeySpec::at(2, set!(KeyFlags: RW | DELETE))])
            .args(&[Arg::key("key", 0), Arg::new("group", ArgKind::String)]),
        Spec::new("createconsumer", 5, groups::createconsumer)
            .doc(Group::Stream, "6.2.0", "O(1)", "Adds a consumer to a group.")
            .flags(set!(Flags: WRITE | DENYOOM))
            .acl(Categories::STREAM)
            .keys(&[KeySpec::at(2, set!(KeyFlags: RW | INSERT))])
            .args(&[Arg::key("key", 0), Arg::new("group", ArgKind::String), Arg::new("consumer", ArgKind::String)]),
    ])
        .doc(Group::Stream, "5.0.0", "Depends on subcommand.", "Groups of consumers."),
    Spec::container("xinfo", &[
        Spec::new("groups", 3, info::groups)
            .doc(Group::Stream, "5.0.0", "O(1)", "What there is to know about streams.")
            .flags(Flags::READONLY)
            .acl(Categories::STREAM)
            .keys(&[KeySpec::at(2, set!(KeyFlags: RO | ACCESS))])
            .history(&[("7.0.0", "The fields `entries-read` and `lag`.")])
            .args(&[Arg::key("key", 0)]),
        Spec::new("stream", -3, info::stream)
            .doc(Group::Stream, "5.0.0", "O(1)", "Tells what there is to know about a stream.")
            .flags(Flags::READONLY)
            .acl(Categories::STREAM)
            .keys(&[KeySpec::at(2, set!(KeyFlags: RO | ACCESS))])
            .history(&[("6.0.0", "The option `FULL`."), ("7.0.0", "The fields `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag`."), ("7.2.0", "The field `active-time`; `seen-time` is the time of the last attempt.")])
            .args(&[Arg::key("key", 0), Arg::block("full-block", &[Arg::flag("full", "FULL"), Arg::new("count", ArgKind::Integer).token("COUNT").optional()]).optional()]),
        Spec::new("help", 2, info::help)
            .doc(Group::Stream, "5.0.0", "O(1)", "Lists the subcommands.")
            .flags(set!(Flags: LOADING | STALE))
            .acl(Categories::STREAM),
        Spec::new("consumers", 4, info::consumers)
            .doc(Group::Stream, "5.0.0", "O(1)", "Lists the consumers of a group.")
            .flags(Flags::READONLY)
            .acl(Categories::STREAM)
            .keys(&[KeySpec::at(2, set!(KeyFlags: RO | ACCESS))])
            .tips(&["nondeterministic_output"])
            .history(&[("7.2.0", "The field `inactive`; `idle` counts from the last attempt.")])
            .args(&[Arg::key("key", 0), Arg::new("group", ArgKind::String)]),
    ])
        .doc(Group::Stream, "5.0.0", "Depends on subcommand.", "What there is to know about streams."),
    Spec::new("xlen", 2, range::xlen)
        .doc(Group::Stream, "5.0.0", "O(1)", "Counts the entries of a stream.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::STREAM)
        .keys(&[KeySpec::at(1, KeyFlags::RO)])
        .args(&[Arg::key("key", 0)]),
    Spec::new("xnack", -7, claim::xnack)
        .doc(Group::Stream, "8.8.0", "O(1) for each ID", "Gives pending entries back to their group, for others to claim.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::STREAM)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .args(&[Arg::key("key", 0), Arg::new("group", ArgKind::String), Arg::one_of("mode", &[Arg::flag("silent", "SILENT"), Arg::flag("fail", "FAIL"), Arg::flag("fatal", "FATAL")]), IDS, Arg::new("count", ArgKind::Integer).token("RETRYCOUNT").optional(), Arg::flag("force", "FORCE").optional()]),
    Spec::new("xpending", -3, pending::xpending)
        .doc(Group::Stream, "5.0.0", "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is O(1)", "Lists the entries that a group has been given and not acknowledged.")
        .flags(Flags::READONLY)
        .acl(Categories::STREAM)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output"])
        .history(&[("6.2.0", "The option `IDLE`, and ranges without their ends.")])
        .args(&[Arg::key("key", 0), Arg::new("group", ArgKind::String), Arg::block("filters", &[Arg::new("min-idle-time", ArgKind::Integer).token("IDLE").optional().since("6.2.0"), Arg::new("start", ArgKind::String), Arg::new("end", ArgKind::String), Arg::new("count", ArgKind::Integer), Arg::new("consumer", ArgKind::String).optional()]).optional()]),
    Spec::new("xrange", -4, range::xrange)
        .doc(Group::Stream, "5.0.0", "O(N) with N being the number of elements being returned", "Lists the entries of a stream within a range of IDs.")
        .flags(Flags::READONLY)
        .acl(Categories::STREAM)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .history(&[("6.2.0", "Ranges without their ends.")])
        .args(&[Arg::key("key", 0), Arg::new("start", ArgKind::String), Arg::new("end", ArgKind::String), Arg::new("count", ArgKind::Integer).token("COUNT").optional()]),
    Spec::new("xread", -4, read::xread)
        .doc(Group::Stream, "5.0.0", "", "Lists the entries behind given IDs of several streams; waits for some.")
        .flags(set!(Flags: READONLY | BLOCKING | MOVABLE_KEYS))
        .acl(Categories::STREAM)
        .keys(&[KeySpec::first_half("STREAMS", 1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::new("count", ArgKind::Integer).token("COUNT").optional(), Arg::new("milliseconds", ArgKind::Integer).token("BLOCK").optional(), Arg::block("streams", &[Arg::key("key", 0).multiple(), Arg::new("id", ArgKind::String).multiple()]).token("STREAMS")]),
    Spec::new("xreadgroup", -7, read::xreadgroup)
        .doc(Group::Stream, "5.0.0", "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data.", "Lists entries of several streams for a consumer of a group; waits for some.")
        .flags(set!(Flags: WRITE | BLOCKING | MOVABLE_KEYS))
        .acl(Categories::STREAM)
        .keys(&[KeySpec::first_half("STREAMS", 4, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::block("group-block", &[Arg::new("group", ArgKind::String), Arg::new("consumer", ArgKind::String)]).token("GROUP"), Arg::new("count", ArgKind::Integer).token("COUNT").optional(), Arg::new("milliseconds", ArgKind::Integer).token("BLOCK").optional(), Arg::new("min-idle-time", ArgKind::Integer).token("CLAIM").optional().since("8.4.0"), Arg::flag("noack", "NOACK").optional(), Arg::block("streams", &[Arg::key("key", 0).multiple(), Arg::new("id", ArgKind::String).multiple()]).token("STREAMS")]),
    Spec::new("xrevrange", -4, range::xrevrange)
        .doc(Group::Stream, "5.0.0", "O(N) with N being the number of elements returned", "Lists the entries of a stream within a range of IDs, the last one first.")
        .flags(Flags::READONLY)
        .acl(Categories::STREAM)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .history(&[("6.2.0", "Ranges without their ends.")])
        .args(&[Arg::key("key", 0), Arg::new("end", ArgKind::String), Arg::new("start", ArgKind::String), Arg::new("count", ArgKind::Integer).token("COUNT").optional()]),
    Spec::new("xsetid", -3, groups::xsetid)
        .doc(Group::Stream, "5.0.0", "O(1)", "Sets the last ID of a stream, and what is known of entries that are gone.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::STREAM)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .history(&[("7.0.0", "The options `ENTRIESADDED` and `MAXDELETEDID`.")])
        .args(&[Arg::key("key", 0), Arg::new("last-id", ArgKind::String), Arg::new("entries-added", ArgKind::Integer).token("ENTRIESADDED").optional().since("7.0.0"), Arg::new("max-deleted-id", ArgKind::String).token("MAXDELETEDID").optional().since("7.0.0")]),
    Spec::new("xtrim", -4, add::xtrim)
        .doc(Group::Stream, "5.0.0", "O(N), with N being the number of evicted entries", "Deletes entries from the front of a stream.")
        .flags(Flags::WRITE)
        .acl(Categories::STREAM)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | DELETE))])
        .tips(&["nondeterministic_output"])
        .history(&[("6.2.0", "The options `MINID` and `LIMIT`.")])
        .args(&[Arg::key("key", 0), Arg::block("trim", &[Arg::one_of("strategy", &[Arg::flag("maxlen", "MAXLEN"), Arg::flag("minid", "MINID").since("6.2.0")]), Arg::one_of("operator", &[Arg::flag("equal", "="), Arg::flag("approximately", "~")]).optional(), Arg::new("threshold", ArgKind::String), Arg::new("count", ArgKind::Integer).token("LIMIT").optional().since("6.2.0")]), REFERENCES]),
];
