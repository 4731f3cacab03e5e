//! Strings: values of bytes, which may be numbers.

mod counters;
mod digest;
mod edit;
mod increx;
mod lcs;
mod many;
mod options;
mod single;

use protocol::Reply;
use storage::{Entry, Key, NewValue, StrRef, Ttl, View};

use crate::command::{Arg, ArgKind, Categories, Error, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::{journal, set};

/// The family's declarations.
pub const COMMANDS: &[Spec] = &[
    Spec::new("append", 3, edit::append)
        .doc(Group::String, "2.0.0", "O(1)", "Adds bytes at the end of a string.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | INSERT))])
        .args(&[Arg::key("key", 0), Arg::new("value", ArgKind::String)]),
    Spec::new("decr", 2, counters::decr)
        .doc(Group::String, "1.0.0", "O(1)", "Subtracts one from an integer.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE))])
        .args(&[Arg::key("key", 0)]),
    Spec::new("decrby", 3, counters::decrby)
        .doc(Group::String, "1.0.0", "O(1)", "Subtracts a number from an integer.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE))])
        .args(&[Arg::key("key", 0), Arg::new("decrement", ArgKind::Integer)]),
    Spec::new("get", 2, single::get)
        .doc(Group::String, "1.0.0", "O(1)", "Reads a string.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0)]),
    Spec::new("getdel", 2, single::getdel)
        .doc(Group::String, "6.2.0", "O(1)", "Reads a string and removes its key.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | DELETE))])
        .args(&[Arg::key("key", 0)]),
    Spec::new("getex", -2, single::getex)
        .doc(Group::String, "6.2.0", "O(1)", "Reads a string and changes its expiry.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE)).note("RW and UPDATE because it changes the TTL")])
        .args(&[
            Arg::key("key", 0),
            Arg::one_of(
                "expiration",
                &[
                    Arg::new("seconds", ArgKind::Integer).token("EX"),
                    Arg::new("milliseconds", ArgKind::Integer).token("PX"),
                    Arg::new("unix-time-seconds", ArgKind::UnixTime).token("EXAT"),
                    Arg::new("unix-time-milliseconds", ArgKind::UnixTime).token("PXAT"),
                    Arg::flag("persist", "PERSIST"),
                ],
            )
            .optional(),
        ]),
    Spec::new("getrange", 4, edit::getrange)
        .doc(Group::String, "2.4.0", "O(N) where N is the length of the returned string", "Reads a part of a string.")
        .flags(Flags::READONLY)
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0), Arg::new("start", ArgKind::Integer), Arg::new("end", ArgKind::Integer)]),
    Spec::new("getset", 3, single::getset)
        .doc(Group::String, "1.0.0", "O(1)", "Replaces a string and returns the old one.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE))])
        .deprecated("6.2.0", "`SET` with the `!GET` argument")
        .args(&[Arg::key("key", 0), Arg::new("value", ArgKind::String)]),
    Spec::new("incr", 2, counters::incr)
        .doc(Group::String, "1.0.0", "O(1)", "Adds one to an integer.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE))])
        .args(&[Arg::key("key", 0)]),
    Spec::new("incrby", 3, counters::incrby)
        .doc(Group::String, "1.0.0", "O(1)", "Adds a number to an integer.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE))])
        .args(&[Arg::key("key", 0), Arg::new("increment", ArgKind::Integer)]),
    Spec::new("incrbyfloat", 3, counters::incrbyfloat)
        .doc(Group::String, "2.6.0", "O(1)", "Adds a fraction to a number.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE))])
        .args(&[Arg::key("key", 0), Arg::new("increment", ArgKind::Double)]),
    Spec::new("lcs", -3, lcs::lcs)
        .doc(
            Group::String,
            "7.0.0",
            "O(N*M) where N and M are the lengths of s1 and s2, respectively",
            "Finds what two strings have in common, in order.",
        )
        .flags(Flags::READONLY)
        .acl(Categories::STRING)
        .keys(&[KeySpec::range(1, 1, 1, set!(KeyFlags: RO | ACCESS))])
        .args(&[
            Arg::key("key1", 0),
            Arg::key("key2", 0),
            Arg::flag("len", "LEN").optional(),
            Arg::flag("idx", "IDX").optional(),
            Arg::new("min-match-len", ArgKind::Integer).token("MINMATCHLEN").optional(),
            Arg::flag("withmatchlen", "WITHMATCHLEN").optional(),
        ]),
    Spec::new("mget", -2, many::mget)
        .doc(
            Group::String,
            "1.0.0",
            "O(N) where N is the number of keys to retrieve",
            "Reads several strings at one instant.",
        )
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::STRING)
        .keys(&[KeySpec::range(1, -1, 1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["request_policy:multi_shard"])
        .args(&[Arg::key("key", 0).multiple()]),
    Spec::new("mset", -3, many::mset)
        .doc(
            Group::String,
            "1.0.1",
            "O(N) where N is the number of keys to set",
            "Sets several strings at one instant.",
        )
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::STRING)
        .keys(&[KeySpec::range(1, -1, 2, set!(KeyFlags: OW | UPDATE))])
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"])
        .args(&[Arg::block("data", &[Arg::key("key", 0), Arg::new("value", ArgKind::String)]).multiple()]),
    Spec::new("msetnx", -3, many::msetnx)
        .doc(
            Group::String,
            "1.0.1",
            "O(N) where N is the number of keys to set",
            "Sets several strings at one instant, if none of the keys exists.",
        )
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::STRING)
        .keys(&[KeySpec::range(1, -1, 2, set!(KeyFlags: OW | INSERT))])
        .args(&[Arg::block("data", &[Arg::key("key", 0), Arg::new("value", ArgKind::String)]).multiple()]),
    Spec::new("psetex", 4, single::psetex)
        .doc(Group::String, "2.6.0", "O(1)", "Sets a string with an expiry in milliseconds.")
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: OW | UPDATE))])
        .deprecated("2.6.12", "`SET` with the `PX` argument")
        .args(&[Arg::key("key", 0), Arg::new("milliseconds", ArgKind::Integer), Arg::new("value", ArgKind::String)]),
    Spec::new("set", -3, single::set)
        .doc(Group::String, "1.0.0", "O(1)", "Sets a string.")
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE | VARIABLE_FLAGS))
            .note("RW and ACCESS due to the optional `GET` argument")])
        .key_flags(single::set_key_flags)
        .history(&[
            ("2.6.12", "`EX`, `PX`, `NX` and `XX`."),
            ("6.0.0", "`KEEPTTL`."),
            ("6.2.0", "`GET`, `EXAT` and `PXAT`."),
            ("7.0.0", "`NX` and `GET` together."),
            ("8.4.0", "`IFEQ`, `IFNE`, `IFDEQ` and `IFDNE`."),
        ])
        .args(&[
            Arg::key("key", 0),
            Arg::new("value", ArgKind::String),
            Arg::one_of(
                "condition",
                &[
                    Arg::flag("nx", "NX"),
                    Arg::flag("xx", "XX"),
                    IFEQ.since("8.4.0"),
                    IFNE.since("8.4.0"),
                    IFDEQ.since("8.4.0"),
                    IFDNE.since("8.4.0"),
                ],
            )
            .optional()
            .since("2.6.12"),
            Arg::flag("get", "GET").optional().since("6.2.0"),
            Arg::one_of(
                "expiration",
                &[
                    Arg::new("seconds", ArgKind::Integer).token("EX").since("2.6.12"),
                    Arg::new("milliseconds", ArgKind::Integer).token("PX").since("2.6.12"),
                    Arg::new("unix-time-seconds", ArgKind::UnixTime).token("EXAT").since("6.2.0"),
                    Arg::new("unix-time-milliseconds", ArgKind::UnixTime).token("PXAT").since("6.2.0"),
                    Arg::flag("keepttl", "KEEPTTL").since("6.0.0"),
                ],
            )
            .optional(),
        ]),
    Spec::new("setex", 4, single::setex)
        .doc(Group::String, "2.0.0", "O(1)", "Sets a string with an expiry in seconds.")
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: OW | UPDATE))])
        .deprecated("2.6.12", "`SET` with the `EX` argument")
        .args(&[Arg::key("key", 0), Arg::new("seconds", ArgKind::Integer), Arg::new("value", ArgKind::String)]),
    Spec::new("setnx", 3, single::setnx)
        .doc(Group::String, "1.0.0", "O(1)", "Sets a string if its key does not exist.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: OW | INSERT))])
        .deprecated("2.6.12", "`SET` with the `NX` argument")
        .args(&[Arg::key("key", 0), Arg::new("value", ArgKind::String)]),
    Spec::new("setrange", 4, edit::setrange)
        .doc(Group::String, "2.2.0", "O(1)", "Overwrites a part of a string.")
        .flags(set!(Flags: WRITE | DENYOOM))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .args(&[Arg::key("key", 0), Arg::new("offset", ArgKind::Integer), Arg::new("value", ArgKind::String)]),
    Spec::new("strlen", 2, edit::strlen)
        .doc(Group::String, "2.2.0", "O(1)", "Tells the length of a string.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, KeyFlags::RO)])
        .args(&[Arg::key("key", 0)]),
    Spec::new("substr", 4, edit::getrange)
        .doc(Group::String, "1.0.0", "O(N) where N is the length of the returned string", "Reads a part of a string.")
        .flags(Flags::READONLY)
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .deprecated("2.0.0", "`GETRANGE`")
        .args(&[Arg::key("key", 0), Arg::new("start", ArgKind::Integer), Arg::new("end", ArgKind::Integer)]),
    Spec::new("delex", -2, digest::delex)
        .doc(
            Group::String,
            "8.4.0",
            "O(1) by value, O(N) by digest",
            "Removes a key if its string is, or is not, as given.",
        )
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RM | DELETE))])
        .args(&[Arg::key("key", 0), CONDITION.optional()]),
    Spec::new("delifeq", 3, digest::delifeq)
        .doc(Group::String, "9.0.0", "O(1)", "Removes a key if its string equals a value (from Valkey).")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RM | DELETE))])
        .args(&[Arg::key("key", 0), Arg::new("value", ArgKind::String)]),
    Spec::new("digest", 2, digest::digest)
        .doc(
            Group::String,
            "8.4.0",
            "O(N) where N is the length of the string",
            "Computes a short fingerprint of a string.",
        )
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0)]),
    Spec::new("increx", -2, increx::increx)
        .doc(Group::String, "8.8.0", "O(1)", "Adds to a number, within bounds, and changes its expiry.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::STRING)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE))])
        .args(&[
            Arg::key("key", 0),
            Arg::one_of(
                "increment",
                &[
                    Arg::new("float", ArgKind::Double).token("BYFLOAT"),
                    Arg::new("integer", ArgKind::Integer).token("BYINT"),
                ],
            )
            .optional(),
            Arg::flag("saturate", "SATURATE").optional(),
            Arg::new("lowerbound", ArgKind::String).token("LBOUND").optional(),
            Arg::new("upperbound", ArgKind::String).token("UBOUND").optional(),
            Arg::one_of(
                "expiration",
                &[
                    Arg::new("seconds", ArgKind::Integer).token("EX"),
                    Arg::new("milliseconds", ArgKind::Integer).token("PX"),
                    Arg::new("unix-time-seconds", ArgKind::UnixTime).token("EXAT"),
                    Arg::new("unix-time-milliseconds", ArgKind::UnixTime).token("PXAT"),
                    Arg::flag("persist", "PERSIST"),
                ],
            )
            .optional(),
            Arg::flag("enx", "ENX").optional(),
        ]),
    Spec::new("msetex", -4, many::msetex)
        .doc(
            Group::String,
            "8.4.0",
            "O(N) where N is the number of keys to set",
            "Sets several strings at one instant, with one expiry.",
        )
        .flags(set!(Flags: WRITE | DENYOOM | MOVABLE_KEYS))
        .acl(Categories::STRING)
        .keys(&[KeySpec::counted(1, 2, set!(KeyFlags: OW | UPDATE))])
        .args(&[
            Arg::new("numkeys", ArgKind::Integer),
            Arg::block("data", &[Arg::key("key", 0), Arg::new("value", ArgKind::String)]).multiple(),
            Arg::one_of("condition", &[Arg::flag("nx", "NX"), Arg::flag("xx", "XX")]).optional(),
            Arg::one_of(
                "expiration",
                &[
                    Arg::new("seconds", ArgKind::Integer).token("EX"),
                    Arg::new("milliseconds", ArgKind::Integer).token("PX"),
                    Arg::new("unix-time-seconds", ArgKind::UnixTime).token("EXAT"),
                    Arg::new("unix-time-milliseconds", ArgKind::UnixTime).token("PXAT"),
                    Arg::flag("keepttl", "KEEPTTL"),
                ],
            )
            .optional(),
        ]),
];

/// The conditions of DELEX.
const CONDITION: Arg = Arg::one_of("condition", &[IFEQ, IFNE, IFDEQ, IFDNE]);

const IFEQ: Arg = Arg::new("ifeq-value", ArgKind::String).token("IFEQ");
const IFNE: Arg = Arg::new("ifne-value", ArgKind::String).token("IFNE");
const IFDEQ: Arg = Arg::new("ifdeq-digest", ArgKind::String).token("IFDEQ");
const IFDNE: Arg = Arg::new("ifdne-digest", ArgKind::String).token("IFDNE");

/// Values of this length on are sent without a copy.
const SHARE_FROM: usize = 16 * 1024;

/// A value as it is best stored: as a number where it is the canonical form of one.
#[inline]
pub(crate) fn new_value(bytes: &[u8]) -> NewValue<'_> {
    // No integer of 64 bits is longer than 20 characters.
    match protocol::parse_i64(bytes) {
        Some(number) if bytes.len() <= 20 => NewValue::Int(number),
        _ => NewValue::Str(bytes),
    }
}

/// An argument as a value; a big one becomes the value as it is.
#[inline]
fn value_of<'a>(args: protocol::Args<'a>, index: usize) -> NewValue<'a> {
    match args.shared(index) {
        Some(bytes) => NewValue::Shared(bytes.clone()),
        None => new_value(args.get(index).unwrap_or_default()),
    }
}

/// The string of an entry.
#[inline]
pub(crate) fn string_of<'e>(entry: &Entry<'e>) -> Result<StrRef<'e>, Error> {
    Ok(entry.string()?)
}

/// Reads a key and answers with its string. Tells whether there is one; if not, there is no answer yet.
#[inline]
fn reply_string(reply: &mut Reply, db: &mut View<'_>, key: &Key<'_>) -> Result<bool, Error> {
    let Some(entry) = db.read(key) else { return Ok(false) };
    match entry.string()? {
        StrRef::Int(number) => reply.bulk_integer(number),
        StrRef::Bytes(bytes) if bytes.len() < SHARE_FROM => reply.bulk(bytes),
        StrRef::Bytes(_) => reply.bulk_shared(db.share(key).unwrap_or_default()),
    }
    Ok(true)
}

/// Refuses strings that would be longer than `proto-max-bulk-len`.
pub(crate) fn check_length(server: &crate::server::Server, offset: usize, more: usize) -> Result<(), Error> {
    match offset.checked_add(more) {
        Some(total) if total as u64 <= server.config.proto_max_bulk_len() as u64 => Ok(()),
        _ => Err(Error::STRING_TOO_LONG),
    }
}

/// Has it written down that a key has been given a value and an expiry, whatever command that was.
fn written_as_set(db: &mut View<'_>, key: &Key<'_>, value: &[u8], ttl: Ttl) {
    let command = [&b"SET"[..], key.bytes, value];
    journal::instead(db, |entries| match ttl {
        Ttl::Clear => entries.command(command),
        Ttl::Keep => {
            let [name, key, value] = command;
            entries.command([name, key, value, b"KEEPTTL"]);
        }
        Ttl::At(when) => {
            let [name, key, value] = command;
            entries.command([name, key, value, b"PXAT", itoa::Buffer::new().format(when).as_bytes()]);
        }
    });
}
