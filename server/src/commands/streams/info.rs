//! XINFO.

use protocol::Reply;
use storage::stream::{Group, Stream, StreamId};

use super::groups::no_such_group;
use super::id::{reply_entries, reply_entry, reply_id};
use crate::command::{CommandResult, Context, Error};

/// Lets `reply` write about the stream that the request names.
fn with_stream(cx: &mut Context<'_>, reply: impl FnOnce(&mut Reply, &Stream) -> CommandResult) -> CommandResult {
    let key = cx.key(2);
    let entry = cx.db.read(&key).ok_or(Error::NO_SUCH_KEY)?;
    let stream = entry.get::<Stream>()?;
    reply(cx.reply, stream)
}

pub(super) fn stream(cx: &mut Context<'_>) -> CommandResult {
    /// How many entries of each kind FULL shows.
    const SHOWN: usize = 10;
    let mut full = None;
    if cx.args.len() > 3 {
        let wrong = Err(Error::unknown_subcommand(cx.args));
        // Redis looks for the key first.
        with_stream(cx, |_, _| Ok(()))?;
        full = match cx.args.len() {
            4 if cx.arg_is(3, "full") => Some(SHOWN),
            6 if cx.arg_is(3, "full") && cx.arg_is(4, "count") => match usize::try_from(cx.integer(5)?) {
                Ok(0) => Some(usize::MAX),
                Ok(count) => Some(count),
                Err(_) => Some(SHOWN),
            },
            _ => return wrong,
        };
    }
    with_stream(cx, |reply, stream| {
        let entries = stream.entries();
        reply.map(if full.is_some() { 9 } else { 10 });
        reply.bulk(b"length");
        reply.integer(entries.len() as i64);
        reply.bulk(b"radix-tree-keys");
        reply.integer(entries.nodes() as i64);
        reply.bulk(b"radix-tree-nodes");
        reply.integer(entries.radix_nodes() as i64);
        reply.bulk(b"last-generated-id");
        reply_id(reply, entries.last_id());
        reply.bulk(b"max-deleted-entry-id");
        reply_id(reply, entries.max_deleted_id());
        reply.bulk(b"entries-added");
        reply.integer(entries.added() as i64);
        reply.bulk(b"recorded-first-entry-id");
        reply_id(reply, entries.first_id());
        match full {
            None => {
                reply.bulk(b"groups");
                reply.integer(stream.groups().len() as i64);
                for (name, entry) in [("first-entry", entries.iter().next()), ("last-entry", entries.last())] {
                    reply.bulk(name.as_bytes());
                    match entry {
                        Some(entry) => reply_entry(reply, entry),
                        None => reply.null(),
                    }
                }
            }
            Some(count) => {
                reply.bulk(b"entries");
                reply_entries(reply, entries.iter().take(count));
                reply.bulk(b"groups");
                reply.array(stream.groups().len());
                for (name, group) in stream.groups() {
                    reply_group_in_full(reply, stream, name, group, count);
                }
            }
        }
        Ok(())
    })
}

fn reply_progress(reply: &mut Reply, stream: &Stream, group: &Group) {
    for (name, value) in [("entries-read", group.entries_read), ("lag", group.lag(stream.entries()))] {
        reply.bulk(name.as_bytes());
        match value {
            Some(value) => reply.integer(value),
            None => reply.null(),
        }
    }
}

fn reply_group_in_full(reply: &mut Reply, stream: &Stream, name: &[u8], group: &Group, count: usize) {
    reply.map(7);
    reply.bulk(b"name");
    reply.bulk(name);
    reply.bulk(b"last-delivered-id");
    reply_id(reply, group.last_id);
    reply_progress(reply, stream, group);
    reply.bulk(b"pel-count");
    reply.integer(group.pending_len() as i64);
    reply.bulk(b"pending");
    reply.array(group.pending_len().min(count));
    for (id, pending) in group.pending_range(StreamId::MIN..=StreamId::MAX).take(count) {
        reply.array(4);
        reply_id(reply, id);
        reply.bulk(group.owner(pending).map_or(b"", |owner| owner.name()));
        reply.integer(pending.delivered_ms);
        reply.integer(pending.deliveries);
    }
    reply.bulk(b"consumers");
    reply.array(group.consumers().len());
    for consumer in group.consumers() {
        reply.map(5);
        reply.bulk(b"name");
        reply.bulk(consumer.name());
        reply.bulk(b"seen-time");
        reply.integer(consumer.seen_ms);
        reply.bulk(b"active-time");
        reply.integer(consumer.active_ms.unwrap_or(-1));
        reply.bulk(b"pel-count");
        reply.integer(consumer.pending().len() as i64);
        reply.bulk(b"pending");
        reply.array(consumer.pending().len().min(count));
        for id in consumer.pending().iter().take(count) {
            reply.array(3);
            reply_id(reply, *id);
            let pending = group.pending(*id);
            reply.integer(pending.map_or(0, |pending| pending.delivered_ms));
            reply.integer(pending.map_or(0, |pending| pending.deliveries));
        }
    }
}

pub(super) fn groups(cx: &mut Context<'_>) -> CommandResult {
    with_stream(cx, |reply, stream| {
        reply.array(stream.groups().len());
        for (name, group) in stream.groups() {
            reply.map(6);
            reply.bulk(b"name");
            reply.bulk(name);
            reply.bulk(b"consumers");
            reply.integer(group.consumers().len() as i64);
            reply.bulk(b"pending");
            reply.integer(group.pending_len() as i64);
            reply.bulk(b"last-delivered-id");
            reply_id(reply, group.last_id);
            reply_progress(reply, stream, group);
        }
        Ok(())
    })
}

pub(super) fn consumers(cx: &mut Context<'_>) -> CommandResult {
    let (key, name, now_ms) = (cx.arg(2), cx.arg(3), cx.now_ms());
    with_stream(cx, |reply, stream| {
        let group = stream.group(name).ok_or_else(|| no_such_group(name, key))?;
        reply.array(group.consumers().len());
        for consumer in group.consumers() {
            reply.map(4);
            reply.bulk(b"name");
            reply.bulk(consumer.name());
            reply.bulk(b"pending");
            reply.integer(consumer.pending().len() as i64);
            reply.bulk(b"idle");
            reply.integer((now_ms - consumer.seen_ms).max(0));
            reply.bulk(b"inactive");
            reply.integer(consumer.active_ms.map_or(-1, |active| (now_ms - active).max(0)));
        }
        Ok(())
    })
}

pub(super) fn help(cx: &mut Context<'_>) -> CommandResult {
    cx.help(&[
        "CONSUMERS <key> <group>",
        "    The consumers of a group.",
        "GROUPS <key>",
        "    The groups of a stream.",
        "STREAM <key> [FULL [COUNT <count>]]",
        "    A stream; with FULL also its first entries, and all about its groups.",
    ])
}
