//! Whole keys: removing, looking up, renaming, copying and moving them.

use storage::{Event, Free};

use crate::command::{Arg, ArgKind, Categories, CommandResult, Context, Error, Flags, Group, KeyFlags, KeySpec, Spec};
use crate::set;

const PER_KEY_TIPS: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];
const SAME_OBJECT: Error = Error::fixed("ERR source and destination objects are the same");

pub(super) const DEL: Spec = Spec::new("del", -2, del)
    .doc(
        Group::Generic,
        "1.0.0",
        "O(N) where N is the number of keys, plus the number of elements of those that hold collections.",
        "Removes keys.",
    )
    .flags(Flags::WRITE)
    .acl(Categories::KEYSPACE)
    .keys(&[KeySpec::range(1, -1, 1, set!(KeyFlags: RM | DELETE))])
    .tips(PER_KEY_TIPS)
    .args(&[Arg::key("key", 0).multiple()]);

fn del(cx: &mut Context<'_>) -> CommandResult {
    let free = if cx.server.config.lazy_del() { Free::Later } else { Free::Now };
    remove_all(cx, free)
}

pub(super) const UNLINK: Spec = Spec::new("unlink", -2, unlink)
    .doc(
        Group::Generic,
        "4.0.0",
        "O(N) where N is the number of keys; their memory is given back in the background.",
        "Removes keys and frees what they held in the background.",
    )
    .flags(set!(Flags: WRITE | FAST))
    .acl(Categories::KEYSPACE)
    .keys(&[KeySpec::range(1, -1, 1, set!(KeyFlags: RM | DELETE))])
    .tips(PER_KEY_TIPS)
    .args(&[Arg::key("key", 0).multiple()]);

fn unlink(cx: &mut Context<'_>) -> CommandResult {
    remove_all(cx, Free::Later)
}

fn remove_all(cx: &mut Context<'_>, free: Free) -> CommandResult {
    let mut removed = 0;
    for index in 1..cx.args.len() {
        let key = cx.key(index);
        removed += i64::from(cx.db.remove(&key, free, Event::DEL));
    }
    cx.reply.integer(removed);
    Ok(())
}

pub(super) const EXISTS: Spec = Spec::new("exists", -2, exists)
    .doc(Group::Generic, "1.0.0", "O(N) where N is the number of keys.", "Counts how many of the keys are there.")
    .flags(set!(Flags: READONLY | FAST))
    .acl(Categories::KEYSPACE)
    .keys(&[KeySpec::range(1, -1, 1, KeyFlags::RO)])
    .tips(PER_KEY_TIPS)
    .history(&[("3.0.3", "Takes several keys.")])
    .args(&[Arg::key("key", 0).multiple()]);

fn exists(cx: &mut Context<'_>) -> CommandResult {
    let mut found = 0;
    for index in 1..cx.args.len() {
        let key = cx.key(index);
        found += i64::from(cx.db.inspect(&key).is_some());
    }
    cx.reply.integer(found);
    Ok(())
}

pub(super) const TOUCH: Spec = Spec::new("touch", -2, touch)
    .doc(
        Group::Generic,
        "3.2.1",
        "O(N) where N is the number of keys.",
        "Marks keys as accessed just now and counts those that are there.",
    )
    .flags(set!(Flags: READONLY | FAST))
    .acl(Categories::KEYSPACE)
    .keys(&[KeySpec::range(1, -1, 1, KeyFlags::RO)])
    .tips(PER_KEY_TIPS)
    .args(&[Arg::key("key", 0).multiple()]);

fn touch(cx: &mut Context<'_>) -> CommandResult {
    // The very purpose of the command goes before CLIENT NO-TOUCH.
    cx.db.set_touch(true);
    let mut found = 0;
    for index in 1..cx.args.len() {
        let key = cx.key(index);
        found += i64::from(cx.db.read_whole(&key).is_some());
    }
    cx.reply.integer(found);
    Ok(())
}

pub(super) const TYPE: Spec = Spec::new("type", 2, type_of)
    .doc(Group::Generic, "1.0.0", "O(1)", "Tells the type of a key's value.")
    .flags(set!(Flags: READONLY | FAST))
    .acl(Categories::KEYSPACE)
    .keys(&[KeySpec::at(1, KeyFlags::RO)])
    .args(&[Arg::key("key", 0)]);

fn type_of(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    let name = cx.db.inspect(&key).map_or("none", |entry| entry.kind().name());
    cx.reply.simple(name);
    Ok(())
}

pub(super) const RENAME: Spec = Spec::new("rename", 3, rename)
    .doc(Group::Generic, "1.0.0", "O(1)", "Gives a key another name, replacing the key that has it.")
    .flags(Flags::WRITE)
    .acl(Categories::KEYSPACE)
    .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | DELETE)), KeySpec::at(2, set!(KeyFlags: OW | UPDATE))])
    .args(&[Arg::key("key", 0), Arg::key("newkey", 1)]);

fn rename(cx: &mut Context<'_>) -> CommandResult {
    let (from, to) = (cx.key(1), cx.key(2));
    if !cx.db.exists(&from) {
        return Err(Error::NO_SUCH_KEY);
    }
    if from.bytes != to.bytes {
        cx.db.rename(&from, &to);
    }
    cx.reply.ok();
    Ok(())
}

pub(super) const RENAMENX: Spec = Spec::new("renamenx", 3, renamenx)
    .doc(Group::Generic, "1.0.0", "O(1)", "Gives a key another name unless that is taken.")
    .flags(set!(Flags: WRITE | FAST))
    .acl(Categories::KEYSPACE)
    .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | DELETE)), KeySpec::at(2, set!(KeyFlags: OW | INSERT))])
    .history(&[("3.2.0", "Renaming a key to its own name is no error any more.")])
    .args(&[Arg::key("key", 0), Arg::key("newkey", 1)]);

fn renamenx(cx: &mut Context<'_>) -> CommandResult {
    let (from, to) = (cx.key(1), cx.key(2));
    if !cx.db.exists(&from) {
        return Err(Error::NO_SUCH_KEY);
    }
    let free = !cx.db.exists(&to);
    if free {
        cx.db.rename(&from, &to);
    }
    cx.reply.integer(i64::from(free));
    Ok(())
}

pub(super) const COPY: Spec = Spec::new("copy", -3, copy)
    .doc(
        Group::Generic,
        "6.2.0",
        "O(1) for strings, O(N) for collections of N elements.",
        "Copies a key's value and expiry to another key.",
    )
    .flags(set!(Flags: WRITE | DENYOOM))
    .acl(Categories::KEYSPACE)
    .keys(&[KeySpec::at(1, set!(KeyFlags: RO | ACCESS)), KeySpec::at(2, set!(KeyFlags: OW | UPDATE))])
    .args(&[
        Arg::key("source", 0),
        Arg::key("destination", 1),
        Arg::new("destination-db", ArgKind::Integer).token("DB").optional(),
        Arg::flag("replace", "REPLACE").optional(),
    ]);

fn copy(cx: &mut Context<'_>) -> CommandResult {
    let (from, to) = (cx.key(1), cx.key(2));
    let home = cx.db.db();
    let (mut db, mut replace) = (home, false);
    let mut index = 3;
    while index < cx.args.len() {
        if cx.arg_is(index, "replace") {
            replace = true;
        } else if cx.arg_is(index, "db") && index + 1 < cx.args.len() {
            index += 1;
            db = cx.database(index)?;
        } else {
            return Err(Error::SYNTAX);
        }
        index += 1;
    }
    if db == home && from.bytes == to.bytes {
        return Err(SAME_OBJECT);
    }
    let mut copied = cx.db.read_whole(&from).is_some();
    if copied && !replace {
        cx.db.select(db);
        copied = !cx.db.exists(&to);
        cx.db.select(home);
    }
    if copied {
        cx.db.copy(&from, &to, db);
    }
    cx.reply.integer(i64::from(copied));
    Ok(())
}

pub(super) const MOVE: Spec = Spec::new("move", 3, move_key)
    .doc(Group::Generic, "1.0.0", "O(1)", "Moves a key to another database, unless it is there as well.")
    .flags(set!(Flags: WRITE | FAST))
    .acl(Categories::KEYSPACE)
    .keys(&[KeySpec::at(1, set!(KeyFlags: RW | ACCESS | UPDATE))])
    .args(&[Arg::key("key", 0), Arg::new("db", ArgKind::Integer)]);

fn move_key(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    let db = cx.database(2)?;
    if db == cx.db.db() {
        return Err(SAME_OBJECT);
    }
    let moved = cx.db.move_to(&key, db);
    cx.reply.integer(i64::from(moved));
    Ok(())
}

pub(super) const RANDOMKEY: Spec = Spec::new("randomkey", 1, randomkey)
    .doc(Group::Generic, "1.0.0", "O(1)", "Picks a key of the database at random.")
    .flags(Flags::READONLY)
    .acl(Categories::KEYSPACE)
    .tips(&["request_policy:all_shards", "response_policy:special", "nondeterministic_output"]);

fn randomkey(cx: &mut Context<'_>) -> CommandResult {
    match cx.db.random_key(rand::random) {
        Some(key) => cx.reply.bulk(&key),
        None => cx.reply.null(),
    }
    Ok(())
}
