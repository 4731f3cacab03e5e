//! The commands about hashes.

mod expiry;
mod read;
mod write;

use smallvec::SmallVec;
use storage::View;

use crate::command::{Arg, ArgKind, Categories, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::{journal, set};

const EACH: &str = "O(N) where N is the number of fields named";
const WHOLE: &str = "O(N) where N is the size of the hash";

const KEY: Arg = Arg::key("key", 0);
const FIELD: Arg = Arg::new("field", ArgKind::String);
const VALUE: Arg = Arg::new("value", ArgKind::String);
const PAIRS: Arg = Arg::block("data", &[FIELD, VALUE]).multiple();
const FIELDS: Arg = Arg::block("fields", &[Arg::new("numfields", ArgKind::Integer), FIELD.multiple()]).token("FIELDS");
const CONDITION: Arg = Arg::one_of(
    "condition",
    &[Arg::flag("nx", "NX"), Arg::flag("xx", "XX"), Arg::flag("gt", "GT"), Arg::flag("lt", "LT")],
)
.optional();
const SECONDS: Arg = Arg::new("seconds", ArgKind::Integer).token("EX");
const MILLIS: Arg = Arg::new("milliseconds", ArgKind::Integer).token("PX");
const UNIX_SECONDS: Arg = Arg::new("unix-time-seconds", ArgKind::UnixTime).token("EXAT");
const UNIX_MILLIS: Arg = Arg::new("unix-time-milliseconds", ArgKind::UnixTime).token("PXAT");

/// The family's declarations.
pub const COMMANDS: &[Spec] = &[
    Spec::new("hdel", -3, write::hdel)
        .doc(Group::Hash, "2.0.0", EACH, "Removes fields from a hash.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | DELETE))])
        .history(&[("2.4.0", "Several fields.")])
        .args(&[KEY, FIELD.multiple()]),
    Spec::new("hexists", 3, read::hexists)
        .doc(Group::Hash, "2.0.0", "O(1)", "Tells whether a hash has a field.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, KeyFlags::RO)])
        .args(&[KEY, FIELD]),
    Spec::new("hexpire", -6, expiry::hexpire)
        .doc(Group::Hash, "7.4.0", EACH, "Sets in how many seconds fields expire.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .args(&[KEY, Arg::new("seconds", ArgKind::Integer), CONDITION, FIELDS]),
    Spec::new("hexpireat", -6, expiry::hexpireat)
        .doc(Group::Hash, "7.4.0", EACH, "Sets at which Unix second fields expire.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .args(&[KEY, Arg::new("unix-time-seconds", ArgKind::UnixTime), CONDITION, FIELDS]),
    Spec::new("hexpiretime", -5, expiry::hexpiretime)
        .doc(Group::Hash, "7.4.0", EACH, "Tells at which Unix second fields expire.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[KEY, FIELDS]),
    Spec::new("hget", 3, read::hget)
        .doc(Group::Hash, "2.0.0", "O(1)", "Reads the value of a field.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[KEY, FIELD]),
    Spec::new("hgetall", 2, read::hgetall)
        .doc(Group::Hash, "2.0.0", WHOLE, "Reads all fields and values of a hash.")
        .flags(Flags::READONLY)
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output_order"])
        .args(&[KEY]),
    Spec::new("hgetdel", -5, write::hgetdel)
        .doc(Group::Hash, "8.0.0", EACH, "Reads the values of fields and removes these.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | DELETE))])
        .args(&[KEY, FIELDS]),
    Spec::new("hgetex", -5, expiry::hgetex)
        .doc(Group::Hash, "8.0.0", EACH, "Reads the values of fields and sets when these expire.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE)).note("RW and UPDATE because it changes the TTL")])
        .args(&[
            KEY,
            Arg::one_of("expiration", &[SECONDS, MILLIS, UNIX_SECONDS, UNIX_MILLIS, Arg::flag("persist", "PERSIST")])
                .optional(),
            FIELDS,
        ]),
    Spec::new("hincrby", 4, write::hincrby)
        .doc(Group::Hash, "2.0.0", "O(1)", "Adds an integer to the value of a field.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE))])
        .args(&[KEY, FIELD, Arg::new("increment", ArgKind::Integer)]),
    Spec::new("hincrbyfloat", 4, write::hincrbyfloat)
        .doc(Group::Hash, "2.6.0", "O(1)", "Adds a number to the value of a field.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE))])
        .args(&[KEY, FIELD, Arg::new("increment", ArgKind::Double)]),
    Spec::new("hkeys", 2, read::hkeys)
        .doc(Group::Hash, "2.0.0", WHOLE, "Lists the fields of a hash.")
        .flags(Flags::READONLY)
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output_order"])
        .args(&[KEY]),
    Spec::new("hlen", 2, read::hlen)
        .doc(Group::Hash, "2.0.0", "O(1)", "Counts the fields of a hash.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, KeyFlags::RO)])
        .args(&[KEY]),
    Spec::new("hmget", -3, read::hmget)
        .doc(Group::Hash, "2.0.0", EACH, "Reads the values of several fields.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[KEY, FIELD.multiple()]),
    Spec::new("hmset", -4, write::hmset)
        .doc(Group::Hash, "2.0.0", EACH, "Sets several fields.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .deprecated("4.0.0", "`HSET` with multiple field-value pairs")
        .args(&[KEY, PAIRS]),
    Spec::new("hpersist", -5, expiry::hpersist)
        .doc(Group::Hash, "7.4.0", EACH, "Takes the expiry off fields.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .args(&[KEY, FIELDS]),
    Spec::new("hpexpire", -6, expiry::hpexpire)
        .doc(Group::Hash, "7.4.0", EACH, "Sets in how many milliseconds fields expire.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .args(&[KEY, Arg::new("milliseconds", ArgKind::Integer), CONDITION, FIELDS]),
    Spec::new("hpexpireat", -6, expiry::hpexpireat)
        .doc(Group::Hash, "7.4.0", EACH, "Sets at which Unix millisecond fields expire.")
        .flags(set!(Flags: WRITE | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .args(&[KEY, Arg::new("unix-time-milliseconds", ArgKind::UnixTime), CONDITION, FIELDS]),
    Spec::new("hpexpiretime", -5, expiry::hpexpiretime)
        .doc(Group::Hash, "7.4.0", EACH, "Tells at which Unix millisecond fields expire.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .args(&[KEY, FIELDS]),
    Spec::new("hpttl", -5, expiry::hpttl)
        .doc(Group::Hash, "7.4.0", EACH, "Tells in how many milliseconds fields expire.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output"])
        .args(&[KEY, FIELDS]),
    Spec::new("hrandfield", -2, read::hrandfield)
        .doc(Group::Hash, "6.2.0", "O(N) where N is the number of fields returned", "Picks fields of a hash at random.")
        .flags(Flags::READONLY)
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output"])
        .args(&[
            KEY,
            Arg::block(
                "options",
                &[Arg::new("count", ArgKind::Integer), Arg::flag("withvalues", "WITHVALUES").optional()],
            )
            .optional(),
        ]),
    Spec::new("hscan", -3, read::hscan)
        .doc(Group::Hash, "2.8.0", "O(1) for every call", "Lists the fields and values of a hash bit by bit.")
        .flags(Flags::READONLY)
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output"])
        .args(&[
            KEY,
            Arg::new("cursor", ArgKind::Integer),
            Arg::new("pattern", ArgKind::Pattern).token("MATCH").optional(),
            Arg::new("count", ArgKind::Integer).token("COUNT").optional(),
            Arg::flag("novalues", "NOVALUES").optional(),
        ]),
    Spec::new("hset", -4, write::hset)
        .doc(Group::Hash, "2.0.0", EACH, "Sets fields of a hash.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .history(&[("4.0.0", "Several fields.")])
        .args(&[KEY, PAIRS]),
    Spec::new("hsetex", -6, expiry::hsetex)
        .doc(Group::Hash, "8.0.0", EACH, "Sets fields of a hash and when these expire.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | UPDATE))])
        .args(&[
            KEY,
            Arg::one_of("condition", &[Arg::flag("fnx", "FNX"), Arg::flag("fxx", "FXX")]).optional(),
            Arg::one_of("expiration", &[SECONDS, MILLIS, UNIX_SECONDS, UNIX_MILLIS, Arg::flag("keepttl", "KEEPTTL")])
                .optional(),
            Arg::block("fields", &[Arg::new("numfields", ArgKind::Integer), PAIRS]).token("FIELDS"),
        ]),
    Spec::new("hsetnx", 4, write::hsetnx)
        .doc(Group::Hash, "2.0.0", "O(1)", "Sets a field that the hash does not have yet.")
        .flags(set!(Flags: WRITE | DENYOOM | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RW | INSERT))])
        .args(&[KEY, FIELD, VALUE]),
    Spec::new("hstrlen", 3, read::hstrlen)
        .doc(Group::Hash, "3.2.0", "O(1)", "Tells the length of a field's value.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, KeyFlags::RO)])
        .args(&[KEY, FIELD]),
    Spec::new("httl", -5, expiry::httl)
        .doc(Group::Hash, "7.4.0", EACH, "Tells in how many seconds fields expire.")
        .flags(set!(Flags: READONLY | FAST))
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output"])
        .args(&[KEY, FIELDS]),
    Spec::new("hvals", 2, read::hvals)
        .doc(Group::Hash, "2.0.0", WHOLE, "Lists the values of a hash.")
        .flags(Flags::READONLY)
        .acl(Categories::HASH)
        .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS))])
        .tips(&["nondeterministic_output_order"])
        .args(&[KEY]),
];

/// Has a command written down that ends with fields.
fn write_fields<'f>(db: &mut View<'_>, start: &[&'f [u8]], fields: impl Iterator<Item = &'f [u8]>) {
    journal::instead(db, |entries| {
        let command: SmallVec<[&[u8]; 32]> = start.iter().copied().chain(fields).collect();
        entries.command(command);
    });
}
