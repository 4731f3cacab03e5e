//! A snapshot as commands that make all keys anew.

use std::fmt::Display;
use std::io::{self, Write};

use super::{Element, Target};
use crate::entry::StrRef;
use crate::keyspace::DbCounts;
use crate::listpack::{Item, ListPack};
use crate::rdb::{Buffered, Sink};
use crate::stream::StreamPart;
use crate::value::Value;

/// Elements that one command adds at most.
const BATCH: usize = 64;

/// Writes commands to a file.
pub struct CommandWriter<W>(Buffered<W>);

impl<W: Write> CommandWriter<W> {
    pub fn new(to: W) -> CommandWriter<W> {
        CommandWriter(Buffered::new(to, false))
    }

    /// Other commands than those of keys.
    pub fn commands(&mut self, bytes: &[u8]) {
        self.0.put(bytes);
    }
}

impl<W: Write + Send> Target for CommandWriter<W> {
    fn database(&mut self, db: usize, _: Option<DbCounts>) {
        let mut select = Vec::new();
        command(&mut select, &[b"SELECT", db.to_string().as_bytes()]);
        self.0.put(&select);
    }

    fn entries(&mut self, bytes: &[u8]) {
        self.0.put(bytes);
    }

    fn is_well(&self) -> bool {
        self.0.is_well()
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.0.finish().map(drop)
    }
}

/// Writes the commands that make a key.
pub(super) fn rebuild(to: &mut Vec<u8>, key: &[u8], value: Value<'_>, expiry: Option<i64>) {
    match value {
        Value::Str(StrRef::Int(number)) => command(to, &[b"SET", key, itoa::Buffer::new().format(number).as_bytes()]),
        Value::Str(StrRef::Bytes(text)) => command(to, &[b"SET", key, text]),
        Value::List(list) => batches(to, b"RPUSH", key, list.len(), 1, list.iter(), |to, item| element(to, item)),
        Value::Set(set) => batches(to, b"SADD", key, set.len(), 1, set.iter(), |to, item| element(to, item)),
        Value::Zset(zset) => batches(to, b"ZADD", key, zset.len(), 2, zset.iter(), |to, (member, score)| {
            shown(to, score);
            element(to, member);
        }),
        Value::Hash(hash) => {
            batches(to, b"HMSET", key, hash.len(), 2, hash.iter(), |to, (field, value, _)| {
                element(to, field);
                element(to, value);
            });
            for (field, _, expiry) in hash.iter() {
                let Some(when) = expiry else { continue };
                let mut digits = itoa::Buffer::new();
                let field = field.bytes(&mut digits);
                command(to, &[b"HPEXPIREAT", key, when.to_string().as_bytes(), b"FIELDS", b"1", field]);
            }
        }
        Value::Stream(stream) => stream.each_part(|part| stream_part(to, key, part)),
    }
    if !matches!(value, Value::Hash(hash) if hash.is_empty()) {
        expire(to, key, expiry);
    }
}

/// Writes the command that sets a key's expiry, if it has one.
pub(super) fn expire(to: &mut Vec<u8>, key: &[u8], expiry: Option<i64>) {
    if let Some(when) = expiry {
        command(to, &[b"PEXPIREAT", key, when.to_string().as_bytes()]);
    }
}

/// Writes the commands that add an element to a collection.
pub(super) fn part(to: &mut Vec<u8>, key: &[u8], added: Element<'_>) {
    match added {
        Element::Member(member) => command(to, &[b"SADD", key, member]),
        Element::Scored(member, score) => command(to, &[b"ZADD", key, score.to_string().as_bytes(), member]),
        Element::Field(field, value, expiry) => {
            command(to, &[b"HSET", key, field, value]);
            if let Some(when) = expiry {
                command(to, &[b"HPEXPIREAT", key, when.to_string().as_bytes(), b"FIELDS", b"1", field]);
            }
        }
        Element::Node { plain: true, bytes } => command(to, &[b"RPUSH", key, bytes]),
        Element::Node { bytes, .. } => {
            let pack = ListPack::from_bytes(bytes);
            batches(to, b"RPUSH", key, pack.len(), 1, pack.iter(), |to, item| element(to, item));
        }
        Element::Part(part) => stream_part(to, key, part),
    }
}

/// Writes the commands that make a part of a stream.
fn stream_part(to: &mut Vec<u8>, key: &[u8], part: StreamPart<'_>) {
    match part {
        StreamPart::Node(node) => {
            for entry in node.entries() {
                header(to, 3 + 2 * entry.len());
                [&b"XADD"[..], key].into_iter().for_each(|part| argument(to, part));
                shown(to, entry.id);
                for (field, value) in entry.fields() {
                    element(to, field);
                    element(to, value);
                }
            }
        }
        StreamPart::History(history) => {
            if history.len == 0 {
                // There is no other way to a stream without entries.
                command(to, &[b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"]);
            }
            header(to, 7);
            [&b"XSETID"[..], key].into_iter().for_each(|part| argument(to, part));
            shown(to, history.last_id);
            argument(to, b"ENTRIESADDED");
            shown(to, history.added);
            argument(to, b"MAXDELETEDID");
            shown(to, history.max_deleted_id);
        }
        StreamPart::Group(name, head) => {
            let read = head.entries_read.unwrap_or(-1).to_string();
            header(to, 7);
            [&b"XGROUP"[..], b"CREATE", key, name].into_iter().for_each(|part| argument(to, part));
            shown(to, head.last_id);
            [&b"ENTRIESREAD"[..], read.as_bytes()].into_iter().for_each(|part| argument(to, part));
        }
        StreamPart::Pending { group, id, pending, owner } => {
            header(to, 12);
            [&b"XCLAIM"[..], key, group, owner, b"0"].into_iter().for_each(|part| argument(to, part));
            shown(to, id);
            argument(to, b"TIME");
            shown(to, pending.delivered_ms);
            argument(to, b"RETRYCOUNT");
            shown(to, pending.deliveries.max(0));
            [&b"JUSTID"[..], b"FORCE"].into_iter().for_each(|part| argument(to, part));
        }
        // Those who have something pending are there by now.
        StreamPart::Consumer { group, name, .. } => command(to, &[b"XGROUP", b"CREATECONSUMER", key, group, name]),
        StreamPart::Consumers(_) | StreamPart::Owned(_) => {}
    }
}

/// Writes commands that add elements, each of so many arguments, some at a time.
fn batches<T>(
    to: &mut Vec<u8>,
    name: &[u8],
    key: &[u8],
    count: usize,
    arguments: usize,
    elements: impl Iterator<Item = T>,
    mut each: impl FnMut(&mut Vec<u8>, T),
) {
    for (index, item) in elements.enumerate() {
        if index % BATCH == 0 {
            header(to, 2 + arguments * BATCH.min(count.saturating_sub(index)));
            argument(to, name);
            argument(to, key);
        }
        each(to, item);
    }
}

fn command(to: &mut Vec<u8>, arguments: &[&[u8]]) {
    header(to, arguments.len());
    arguments.iter().for_each(|part| argument(to, part));
}

fn header(to: &mut Vec<u8>, arguments: usize) {
    to.push(b'*');
    to.extend_from_slice(itoa::Buffer::new().format(arguments).as_bytes());
    to.extend_from_slice(b"\r\n");
}

fn argument(to: &mut Vec<u8>, text: &[u8]) {
    to.push(b'$');
    to.extend_from_slice(itoa::Buffer::new().format(text.len()).as_bytes());
    to.extend_from_slice(b"\r\n");
    to.extend_from_slice(text);
    to.extend_from_slice(b"\r\n");
}

fn element(to: &mut Vec<u8>, item: Item<'_>) {
    argument(to, item.bytes(&mut itoa::Buffer::new()));
}

fn shown(to: &mut Vec<u8>, value: impl Display) {
    argument(to, value.to_string().as_bytes());
}
