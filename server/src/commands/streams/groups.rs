//! Making and changing groups of consumers, and what a stream knows of itself.

use storage::Event;
use storage::stream::{Group, Stream, StreamId};
use storage::{Key, WrongType};

use super::id;
use crate::command::{CommandResult, Context, Error};

pub(super) const NO_STREAM: Error = Error::fixed(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option \
     to create an empty stream automatically.",
);

/// The options of CREATE and SETID.
#[derive(Default)]
struct Options {
    make_stream: bool,
    entries_read: Option<i64>,
}

fn options(cx: &Context<'_>, creating: bool) -> Result<Options, Error> {
    let mut options = Options::default();
    let mut index = 5;
    while index < cx.args.len() {
        if creating && cx.arg_is(index, "mkstream") {
            options.make_stream = true;
            index += 1;
        } else if cx.arg_is(index, "entriesread") && index + 1 < cx.args.len() {
            let read = cx.integer(index + 1)?;
            if read < -1 {
                return Err(Error::fixed("ERR value for ENTRIESREAD must be positive or -1"));
            }
            options.entries_read = (read >= 0).then_some(read);
            index += 2;
        } else {
            return Err(subcommand_syntax(cx));
        }
    }
    Ok(options)
}

fn subcommand_syntax(cx: &Context<'_>) -> Error {
    Error::unknown_subcommand(cx.args)
}

pub(super) fn create(cx: &mut Context<'_>) -> CommandResult {
    let options = options(cx, true)?;
    let key = cx.key(2);
    let last_id = match cx.db.peek(&key) {
        Some(entry) => Some(entry.get::<Stream>()?.entries().last_id()),
        None if options.make_stream => None,
        None => return Err(NO_STREAM),
    };
    if cx.args.len() > 8 {
        return Err(subcommand_syntax(cx));
    }
    let id = match cx.arg(4) {
        b"$" => last_id.unwrap_or(StreamId::MIN),
        _ => id::parse_strict(cx, 4)?,
    };
    let name = cx.arg(3);
    let made = cx.db.change::<Stream, _>(&key, |stream, log| {
        let made = stream.add_group(name, id, options.entries_read);
        if made {
            log.changed(Event::XGROUP_CREATE, 1);
        }
        made
    })?;
    if !made {
        return Err(Error::fixed("BUSYGROUP Consumer Group name already exists"));
    }
    cx.reply.ok();
    Ok(())
}

pub(super) fn setid(cx: &mut Context<'_>) -> CommandResult {
    let options = options(cx, false)?;
    let last_id = existing(cx)?;
    if !matches!(cx.args.len(), 5 | 7) {
        return Err(subcommand_syntax(cx));
    }
    let id = match cx.arg(4) {
        b"$" => last_id,
        _ => id::parse(cx, 4, 0)?,
    };
    let (key, name) = (cx.key(2), cx.arg(3));
    change_group(cx, &key, name, |group, log| {
        group.last_id = id;
        group.entries_read = options.entries_read;
        log.changed(Event::XGROUP_SETID, 1);
    })?;
    cx.reply.ok();
    Ok(())
}

pub(super) fn destroy(cx: &mut Context<'_>) -> CommandResult {
    let (key, name) = (cx.key(2), cx.arg(3));
    let removed = cx.db.change_existing::<Stream, _>(&key, |stream, log| {
        let removed = stream.remove_group(name);
        if removed {
            log.changed(Event::XGROUP_DESTROY, 1);
        }
        removed
    })?;
    cx.reply.integer(i64::from(removed.ok_or(NO_STREAM)?));
    Ok(())
}

pub(super) fn createconsumer(cx: &mut Context<'_>) -> CommandResult {
    existing(cx)?;
    let (key, name, consumer, now_ms) = (cx.key(2), cx.arg(3), cx.arg(4), cx.now_ms());
    let made = change_group(cx, &key, name, |group, log| {
        let (_, made) = group.find_or_add(consumer, now_ms);
        if made {
            log.changed(Event::XGROUP_CREATECONSUMER, 1);
        }
        made
    })?;
    cx.reply.integer(i64::from(made == Some(true)));
    Ok(())
}

pub(super) fn delconsumer(cx: &mut Context<'_>) -> CommandResult {
    existing(cx)?;
    let (key, name, consumer) = (cx.key(2), cx.arg(3), cx.arg(4));
    let pending = change_group(cx, &key, name, |group, log| {
        let pending = group.remove_consumer(consumer);
        if pending.is_some() {
            log.changed(Event::XGROUP_DELCONSUMER, 1);
        }
        pending.unwrap_or(0)
    })?;
    cx.reply.integer(pending.unwrap_or(0) as i64);
    Ok(())
}

pub(super) fn help(cx: &mut Context<'_>) -> CommandResult {
    cx.help(&[
        "CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <number>]",
        "    Makes a group that has read up to <id>; with MKSTREAM also the stream, if need be.",
        "CREATECONSUMER <key> <group> <consumer>",
        "    Adds a consumer to a group.",
        "DELCONSUMER <key> <group> <consumer>",
        "    Removes a consumer, and what it has pending.",
        "DESTROY <key> <group>",
        "    Removes a group.",
        "SETID <key> <group> <id|$> [ENTRIESREAD <number>]",
        "    Sets up to which ID a group has read, and how many entries these are.",
    ])
}

/// The stream and the group of the request must exist. The stream's last ID.
fn existing(cx: &mut Context<'_>) -> Result<StreamId, Error> {
    let (key, name) = (cx.key(2), cx.arg(3));
    let entry = cx.db.peek(&key).ok_or(NO_STREAM)?;
    let stream = entry.get::<Stream>()?;
    stream.group(name).ok_or_else(|| no_such_group(name, key.bytes))?;
    Ok(stream.entries().last_id())
}

/// Lets `change` work on a group, if it is there.
pub(super) fn change_group<R>(
    cx: &mut Context<'_>,
    key: &Key<'_>,
    name: &[u8],
    change: impl FnOnce(&mut Group, &mut storage::Log) -> R,
) -> Result<Option<R>, WrongType> {
    let found = cx
        .db
        .change_existing::<Stream, _>(key, |stream, log| stream.group_mut(name).map(|(_, group)| change(group, log)))?;
    Ok(found.flatten())
}

/// What commands about a group answer that is named last.
pub(super) fn no_such_group(group: &[u8], key: &[u8]) -> Error {
    let error = Error::quoting("NOGROUP No such consumer group '", group, "' for key name '");
    Error::new([error.text(), crate::command::error::shown(key, usize::MAX), b"'"].concat())
}

/// What commands about entries of a group answer, whether it is the key or the group that is missing.
pub(super) fn no_key_or_group(key: &[u8], group: &[u8]) -> Error {
    let error = Error::quoting("NOGROUP No such key '", key, "' or consumer group '");
    Error::new([error.text(), crate::command::error::shown(group, usize::MAX), b"'"].concat())
}

pub(super) fn xsetid(cx: &mut Context<'_>) -> CommandResult {
    let last_id = id::parse_strict(cx, 2)?;
    let (mut added, mut max_deleted) = (None, None);
    let mut index = 3;
    while index < cx.args.len() {
        let more = index + 1 < cx.args.len();
        if cx.arg_is(index, "entriesadded") && more {
            let number = cx.integer(index + 1)?;
            added = Some(u64::try_from(number).map_err(|_| Error::fixed("ERR entries_added must be positive"))?);
        } else if cx.arg_is(index, "maxdeletedid") && more {
            let id = id::parse_strict(cx, index + 1)?;
            if last_id < id {
                return Err(Error::fixed(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ));
            }
            max_deleted = Some(id);
        } else {
            return Err(Error::SYNTAX);
        }
        index += 2;
    }
    let key = cx.key(1);
    let changed = cx.db.change_existing::<Stream, _>(&key, |stream, log| {
        let entries = stream.entries();
        if last_id < entries.max_deleted_id() {
            return Err(Error::fixed("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"));
        }
        if let Some(top) = entries.last() {
            if last_id < top.id {
                return Err(Error::fixed("ERR The ID specified in XSETID is smaller than the target stream top item"));
            }
            if added.is_some_and(|added| added < entries.len() as u64) {
                return Err(Error::fixed(
                    "ERR The entries_added specified in XSETID is smaller than the target stream length",
                ));
            }
        }
        stream.set_history(last_id, added, max_deleted.filter(|id| *id != StreamId::MIN));
        log.changed(Event::XSETID, 1);
        Ok(())
    })?;
    changed.ok_or(Error::NO_SUCH_KEY)??;
    cx.reply.ok();
    Ok(())
}
