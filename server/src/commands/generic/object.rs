//! OBJECT: how a value is stored and when it was used.

use crate::command::{Arg, Categories, CommandResult, Context, Error, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::set;
use storage::StrRef;

pub(super) const OBJECT: Spec = Spec::container("object", &[ENCODING, FREQ, HELP, IDLETIME, REFCOUNT]).doc(
    Group::Generic,
    "2.2.3",
    "Depends on subcommand.",
    "Tells how values are stored and used.",
);

const KEY: &[KeySpec] = &[KeySpec::at(2, KeyFlags::RO)];
const KEY_ARG: &[Arg] = &[Arg::key("key", 0)];

/// A subcommand that looks at one key, up to its documentation.
const fn inspector(spec: Spec) -> Spec {
    spec.flags(Flags::READONLY).acl(Categories::KEYSPACE).keys(KEY).tips(&["nondeterministic_output"]).args(KEY_ARG)
}

const ENCODING: Spec = inspector(Spec::new("encoding", 3, encoding)).doc(
    Group::Generic,
    "2.2.3",
    "O(1)",
    "Tells the encoding of a key's value.",
);

fn encoding(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(2);
    match cx.db.inspect_silently(&key) {
        Some(entry) => cx.reply.bulk(entry.encoding().as_bytes()),
        None => cx.reply.null(),
    }
    Ok(())
}

const FREQ: Spec = inspector(Spec::new("freq", 3, freq)).doc(
    Group::Generic,
    "4.0.0",
    "O(1)",
    "Tells how often a key is used, on a logarithmic scale.",
);

fn freq(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(2);
    let (access, now_ms) = (&cx.server.keyspace.access, cx.db.now_ms());
    let Some(entry) = cx.db.inspect_silently(&key) else {
        cx.reply.null();
        return Ok(());
    };
    if !access.is_lfu() {
        return Err(Error::fixed(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    cx.reply.integer(i64::from(access.frequency(entry.access(), now_ms)));
    Ok(())
}

const IDLETIME: Spec = inspector(Spec::new("idletime", 3, idletime)).doc(
    Group::Generic,
    "2.2.3",
    "O(1)",
    "Tells for how many seconds a key has not been used.",
);

fn idletime(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(2);
    let (access, now_ms) = (&cx.server.keyspace.access, cx.db.now_ms());
    let Some(entry) = cx.db.inspect_silently(&key) else {
        cx.reply.null();
        return Ok(());
    };
    if access.is_lfu() {
        return Err(Error::fixed(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between \
             policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    cx.reply.integer(access.idle_seconds(entry.access(), now_ms) as i64);
    Ok(())
}

const REFCOUNT: Spec = inspector(Spec::new("refcount", 3, refcount)).doc(
    Group::Generic,
    "2.2.3",
    "O(1)",
    "Tells how many references a key's value has.",
);

fn refcount(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(2);
    let config = &cx.server.config;
    // Redis keeps one object for each of these numbers, with a count that never changes, and shows it. Where keys are
    // evicted by their use it does not, since what is shared tells nothing of a single key's use.
    let shared = config.maxmemory() == 0 || !config.maxmemory_policy().is_by_access();
    match cx.db.inspect_silently(&key) {
        Some(entry) if shared && matches!(entry.string(), Ok(StrRef::Int(0..=9999))) => {
            cx.reply.integer(i32::MAX.into());
        }
        Some(_) => cx.reply.integer(1),
        None => cx.reply.null(),
    }
    Ok(())
}

const HELP: Spec = Spec::new("help", 2, help)
    .doc(Group::Generic, "6.2.0", "O(1)", "Lists the subcommands.")
    .flags(set!(Flags: LOADING | STALE))
    .acl(Categories::KEYSPACE);

fn help(cx: &mut Context<'_>) -> CommandResult {
    cx.help(&[
        "ENCODING <key>",
        "    How the value of <key> is stored.",
        "FREQ <key>",
        "    How often <key> is used, on a logarithmic scale; needs an LFU eviction policy.",
        "IDLETIME <key>",
        "    Seconds since <key> was last used; needs any other eviction policy.",
        "REFCOUNT <key>",
        "    How many references the value of <key> has.",
    ])
}
