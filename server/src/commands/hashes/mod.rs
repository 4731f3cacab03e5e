//! The commands about hashes.

mod expiry;
mod read;
mod write;

use protocol::Args;
use storage::PackLimits;

use super::elements;
use crate::command::{Arg, ArgKind, Categories, Context, Error, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::set;

/// The family's declarations.
pub const COMMANDS: &[Spec] = &[
    Spec::new("hdel", -3, write::hdel)
        .doc(Group::Hash, "2.0.0", "O(N) where N is the number of fields to be removed", "Removes fields from a hash.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | DELETE))])
        .history(&[("2.4.0", "Several fields.")])
        .args(&[Arg::key("key", 0), Arg::new("field", ArgKind::String).multiple()]),
    Spec::new("hexists", 3, read::hexists)
        .doc(Group::Hash, "2.0.0", "O(1)", "Tells whether a hash has a field.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, KeyFlags::RO)])
        .args(&[Arg::key("key", 0), Arg::new("field", ArgKind::String)]),
    Spec::new("hexpire", -6, expiry::hexpire)
        .doc(Group::Hash, "7.4.0", "O(N) where N is the number of specified fields", "Sets in how many seconds fields expire.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .args(&[Arg::key("key", 0), Arg::new("seconds", ArgKind::Integer), Arg::one_of("condition", &[Arg::flag("nx", "NX"), Arg::flag("xx", "XX"), Arg::flag("gt", "GT"), Arg::flag("lt", "LT")]).optional(), Arg::block("fields", &[Arg::new("numfields", ArgKind::Integer), Arg::new("field", ArgKind::String).multiple()]).token("FIELDS")]),
    Spec::new("hexpireat", -6, expiry::hexpireat)
        .doc(Group::Hash, "7.4.0", "O(N) where N is the number of specified fields", "Sets at which Unix second fields expire.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .args(&[Arg::key("key", 0), Arg::new("unix-time-seconds", ArgKind::UnixTime), Arg::one_of("condition", &[Arg::flag("nx", "NX"), Arg::flag("xx", "XX"), Arg::flag("gt", "GT"), Arg::flag("lt", "LT")]).optional(), Arg::block("fields", &[Arg::new("numfields", ArgKind::Integer), Arg::new("field", ArgKind::String).multiple()]).token("FIELDS")]),
    Spec::new("hexpiretime", -5, expiry::hexpiretime)
        .doc(Group::Hash, "7.4.0", "O(N) where N is the number of specified fields", "Tells at which Unix second fields expire.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0), Arg::block("fields", &[Arg::new("numfields", ArgKind::Integer), Arg::new("field", ArgKind::String).multiple()]).token("FIELDS")]),
    Spec::new("hget", 3, read::hget)
        .doc(Group::Hash, "2.0.0", "O(1)", "Reads the value of a field.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0), Arg::new("field", ArgKind::String)]),
    Spec::new("hgetall", 2, read::hgetall)
        .doc(Group::Hash, "2.0.0", "O(N) where N is the size of the hash", "Reads all fields and values of a hash.")
        .flags(Flags::READONLY)
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output_order"])
        .args(&[Arg::key("key", 0)]),
    Spec::new("hgetdel", -5, write::hgetdel)
        .doc(Group::Hash, "8.0.0", "O(N) where N is the number of specified fields", "Reads the values of fields and removes these.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | DELETE))])
        .args(&[Arg::key("key", 0), Arg::block("fields", &[Arg::new("numfields", ArgKind::Integer), Arg::new("field", ArgKind::String).multiple()]).token("FIELDS")]),
    Spec::new("hgetex", -5, expiry::hgetex)
        .doc(Group::Hash, "8.0.0", "O(N) where N is the number of specified fields", "Reads the values of fields and sets when these expire.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE)).note("RW and UPDATE because it changes the TTL")])
        .args(&[Arg::key("key", 0), Arg::one_of("expiration", &[Arg::new("seconds", ArgKind::Integer).token("EX"), Arg::new("milliseconds", ArgKind::Integer).token("PX"), Arg::new("unix-time-seconds", ArgKind::UnixTime).token("EXAT"), Arg::new("unix-time-milliseconds", ArgKind::UnixTime).token("PXAT"), Arg::flag("persist", "PERSIST")]).optional(), Arg::block("fields", &[Arg::new("numfields", ArgKind::Integer), Arg::new("field", ArgKind::String).multiple()]).token("FIELDS")]),
    Spec::new("hincrby", 4, write::hincrby)
        .doc(Group::Hash, "2.0.0", "O(1)", "Adds an integer to the value of a field.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE))])
        .args(&[Arg::key("key", 0), Arg::new("field", ArgKind::String), Arg::new("increment", ArgKind::Integer)]),
    Spec::new("hincrbyfloat", 4, write::hincrbyfloat)
        .doc(Group::Hash, "2.6.0", "O(1)", "Adds a number to the value of a field.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE))])
        .args(&[Arg::key("key", 0), Arg::new("field", ArgKind::String), Arg::new("increment", ArgKind::Double)]),
    Spec::new("hkeys", 2, read::hkeys)
        .doc(Group::Hash, "2.0.0", "O(N) where N is the size of the hash", "Lists the fields of a hash.")
        .flags(Flags::READONLY)
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output_order"])
        .args(&[Arg::key("key", 0)]),
    Spec::new("hlen", 2, read::hlen)
        .doc(Group::Hash, "2.0.0", "O(1)", "Counts the fields of a hash.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, KeyFlags::RO)])
        .args(&[Arg::key("key", 0)]),
    Spec::new("hmget", -3, read::hmget)
        .doc(Group::Hash, "2.0.0", "O(N) where N is the number of fields being requested", "Reads the values of several fields.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0), Arg::new("field", ArgKind::String).multiple()]),
    Spec::new("hmset", -4, write::hmset)
        .doc(Group::Hash, "2.0.0", "O(N) where N is the number of fields being set", "Sets several fields.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .deprecated("4.0.0", "`HSET` with multiple field-value pairs")
        .args(&[Arg::key("key", 0), Arg::block("data", &[Arg::new("field", ArgKind::String), Arg::new("value", ArgKind::String)]).multiple()]),
    Spec::new("hpersist", -5, expiry::hpersist)
        .doc(Group::Hash, "7.4.0", "O(N) where N is the number of specified fields", "Takes the expiry off fields.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .args(&[Arg::key("key", 0), Arg::block("fields", &[Arg::new("numfields", ArgKind::Integer), Arg::new("field", ArgKind::String).multiple()]).token("FIELDS")]),
    Spec::new("hpexpire", -6, expiry::hpexpire)
        .doc(Group::Hash, "7.4.0", "O(N) where N is the number of specified fields", "Sets in how many milliseconds fields expire.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .args(&[Arg::key("key", 0), Arg::new("milliseconds", ArgKind::Integer), Arg::one_of("condition", &[Arg::flag("nx", "NX"), Arg::flag("xx", "XX"), Arg::flag("gt", "GT"), Arg::flag("lt", "LT")]).optional(), Arg::block("fields", &[Arg::new("numfields", ArgKind::Integer), Arg::new("field", ArgKind::String).multiple()]).token("FIELDS")]),
    Spec::new("hpexpireat", -6, expiry::hpexpireat)
        .doc(Group::Hash, "7.4.0", "O(N) where N is the number of specified fields", "Sets at which Unix millisecond fields expire.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .args(&[Arg::key("key", 0), Arg::new("unix-time-milliseconds", ArgKind::UnixTime), Arg::one_of("condition", &[Arg::flag("nx", "NX"), Arg::flag("xx", "XX"), Arg::flag("gt", "GT"), Arg::flag("lt", "LT")]).optional(), Arg::block("fields", &[Arg::new("numfields", ArgKind::Integer), Arg::new("field", ArgKind::String).multiple()]).token("FIELDS")]),
    Spec::new("hpexpiretime", -5, expiry::hpexpiretime)
        .doc(Group::Hash, "7.4.0", "O(N) where N is the number of specified fields", "Tells at which Unix millisecond fields expire.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[Arg::key("key", 0), Arg::block("fields", &[Arg::new("numfields", ArgKind::Integer), Arg::new("field", ArgKind::String).multiple()]).token("FIELDS")]),
    Spec::new("hpttl", -5, expiry::hpttl)
        .doc(Group::Hash, "7.4.0", "O(N) where N is the number of specified fields", "Tells in how many milliseconds fields expire.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output"])
        .args(&[Arg::key("key", 0), Arg::block("fields", &[Arg::new("numfields", ArgKind::Integer), Arg::new("field", ArgKind::String).multiple()]).token("FIELDS")]),
    Spec::new("hrandfield", -2, read::hrandfield)
        .doc(Group::Hash, "6.2.0", "O(N) where N is the number of fields returned", "Picks fields of a hash at random.")
        .flags(Flags::READONLY)
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output"])
        .args(&[Arg::key("key", 0), Arg::block("options", &[Arg::new("count", ArgKind::Integer), Arg::flag("withvalues", "WITHVALUES").optional()]).optional()]),
    Spec::new("hscan", -3, read::hscan)
        .doc(Group::Hash, "2.8.0", "O(1) for every call", "Lists the fields and values of a hash bit by bit.")
        .flags(Flags::READONLY)
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output"])
        .args(&[Arg::key("key", 0), Arg::new("cursor", ArgKind::Integer), Arg::new("pattern", ArgKind::Pattern).token("MATCH").optional(), Arg::new("count", ArgKind::Integer).token("COUNT").optional(), Arg::flag("novalues", "NOVALUES").optional()]),
    Spec::new("hset", -4, write::hset)
        .doc(Group::Hash, "2.0.0", "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with multiple field/value pairs", "Sets fields of a hash.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .history(&[("4.0.0", "Several fields.")])
        .args(&[Arg::key("key", 0), Arg::block("data", &[Arg::new("field", ArgKind::String), Arg::new("value", ArgKind::String)]).multiple()]),
    Spec::new("hsetex", -6, expiry::hsetex)
        .doc(Group::Hash, "8.0.0", "O(N) where N is the number of fields being set", "Sets fields of a hash and when these expire.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .args(&[Arg::key("key", 0), Arg::one_of("condition", &[Arg::flag("fnx", "FNX"), Arg::flag("fxx", "FXX")]).optional(), Arg::one_of("expiration", &[Arg::new("seconds", ArgKind::Integer).token("EX"), Arg::new("milliseconds", ArgKind::Integer).token("PX"), Arg::new("unix-time-seconds", ArgKind::UnixTime).token("EXAT"), Arg::new("unix-time-milliseconds", ArgKind::UnixTime).token("PXAT"), Arg::flag("keepttl", "KEEPTTL")]).optional(), Arg::block("fields", &[Arg::new("numfields", ArgKind::Integer), Arg::block("data", &[Arg::new("field", ArgKind::String), Arg::new("value", ArgKind::String)]).multiple()]).token("FIELDS")]),
    Spec::new("hsetnx", 4, write::hsetnx)
        .doc(Group::Hash, "2.0.0", "O(1)", "Sets a field that the hash does not have yet.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | INSERT))])
        .args(&[Arg::key("key", 0), Arg::new("field", ArgKind::String), Arg::new("value", ArgKind::String)]),
    Spec::new("hstrlen", 3, read::hstrlen)
        .doc(Group::Hash, "3.2.0", "O(1)", "Tells the length of a field's value.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, KeyFlags::RO)])
        .args(&[Arg::key("key", 0), Arg::new("field", ArgKind::String)]),
    Spec::new("httl", -5, expiry::httl)
        .doc(Group::Hash, "7.4.0", "O(N) where N is the number of specified fields", "Tells in how many seconds fields expire.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output"])
        .args(&[Arg::key("key", 0), Arg::block("fields", &[Arg::new("numfields", ArgKind::Integer), Arg::new("field", ArgKind::String).multiple()]).token("FIELDS")]),
    Spec::new("hvals", 2, read::hvals)
        .doc(Group::Hash, "2.0.0", "O(N) where N is the size of the hash", "Lists the values of a hash.")
        .flags(Flags::READONLY)
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output_order"])
        .args(&[Arg::key("key", 0)]),
];

/// Up to where a hash is packed.
fn limits(cx: &Context<'_>) -> PackLimits {
    let config = &cx.server.config;
    elements::pack_limits(config.hash_max_listpack_entries(), config.hash_max_listpack_value())
}

/// The fields behind `FIELDS count` at `index`, which are all that is left.
fn fields<'a>(cx: &Context<'a>, index: usize) -> Result<Args<'a>, Error> {
    expiry::fields(cx, index)
}
