//! XREAD and XREADGROUP, which wait for entries.

use protocol::{Reply, Resp};
use storage::stream::{ConsumerAt, Entries, Group, Stream, StreamId};
use storage::{Key, Type, View};

use super::claim::{active, claimant};
use super::handed::Handed;
use super::id::{self, reply_entry, reply_fields, reply_id};
use super::pending::shown_idle;
use crate::blocking::{self, Blocking};
use crate::command::{CommandResult, Context, Error};

/// Where reading a stream begins.
#[derive(Clone, Copy)]
enum From {
    Behind(StreamId),
    /// Behind what the group has got.
    New,
}

/// Who reads, of XREADGROUP.
struct Reader {
    group: Vec<u8>,
    consumer: Vec<u8>,
    /// What is delivered does not become pending.
    no_ack: bool,
    /// Entries that have been pending for so long come first.
    claim: Option<i64>,
}

struct Read {
    keys: Vec<Vec<u8>>,
    from: Vec<From>,
    count: usize,
    reader: Option<Reader>,
}

/// Between two looks at what may have become idle.
const LEAST_PAUSE_MS: i64 = 100;

/// The options that come before the streams.
struct Options {
    count: usize,
    /// Unix time in milliseconds at which to stop waiting; `None` within is never, without is at once.
    until_ms: Option<Option<i64>>,
    reader: Option<Reader>,
    /// Where the keys begin.
    keys_at: usize,
}

pub(super) fn xread(cx: &mut Context<'_>) -> CommandResult {
    read(cx, false)
}

pub(super) fn xreadgroup(cx: &mut Context<'_>) -> CommandResult {
    read(cx, true)
}

fn read(cx: &mut Context<'_>, grouped: bool) -> CommandResult {
    let options = options(cx, grouped)?;
    let streams = (cx.args.len() - options.keys_at) / 2;
    let mut from = Vec::with_capacity(streams);
    for index in options.keys_at..options.keys_at + streams {
        from.push(start(cx, index, index + streams, options.reader.as_ref())?);
    }
    let keys = (0..streams).map(|index| cx.arg(options.keys_at + index).to_vec()).collect();
    let read = Read { keys, from, count: options.count, reader: options.reader };
    match options.until_ms {
        Some(until_ms) => blocking::serve_or_wait(cx, until_ms, read)?,
        None => {
            if !read.serve(cx.db, cx.reply, false)? {
                cx.reply.null_array();
            }
        }
    }
    Ok(())
}

fn options(cx: &Context<'_>, grouped: bool) -> Result<Options, Error> {
    let (mut count, mut until_ms, mut group, mut no_ack, mut claim) = (0, None, None, false, None);
    let only_grouped = |option| {
        let text = format!("ERR The {option} option is only supported by XREADGROUP. You called XREAD instead.");
        if grouped { Ok(()) } else { Err(Error::new(text)) }
    };
    let mut index = 1;
    while index < cx.args.len() {
        let more = cx.args.len() - 1 - index;
        if cx.arg_is(index, "block") && more > 0 {
            until_ms = Some(cx.deadline_ms(index + 1)?);
            index += 1;
        } else if cx.arg_is(index, "count") && more > 0 {
            count = usize::try_from(cx.integer(index + 1)?).unwrap_or(0);
            index += 1;
        } else if cx.arg_is(index, "streams") && more > 0 {
            if more % 2 == 1 {
                let (command, ids) =
                    if grouped { ("xreadgroup", "an ID or '>'") } else { ("xread", "an ID, '+', or '$'") };
                return Err(Error::new(format!(
                    "ERR Unbalanced '{command}' list of streams: for each stream key {ids} must be specified."
                )));
            }
            if grouped && group.is_none() {
                return Err(Error::fixed("ERR Missing GROUP option for XREADGROUP"));
            }
            let count = if count == 0 { usize::MAX } else { count };
            let reader = group.map(|(group, consumer)| Reader { group, consumer, no_ack, claim });
            return Ok(Options { count, until_ms, reader, keys_at: index + 1 });
        } else if cx.arg_is(index, "group") && more > 1 {
            only_grouped("GROUP")?;
            group = Some((cx.arg(index + 1).to_vec(), cx.arg(index + 2).to_vec()));
            index += 2;
        } else if cx.arg_is(index, "noack") {
            only_grouped("NOACK")?;
            no_ack = true;
        } else if cx.arg_is(index, "claim") && more > 0 {
            only_grouped("CLAIM")?;
            let text = "ERR min-idle-time is not an integer or out of range";
            let idle = protocol::parse_i64(cx.arg(index + 1)).ok_or(Error::fixed(text))?;
            if idle < 0 {
                return Err(Error::fixed("ERR min-idle-time must be a positive integer"));
            }
            claim = Some(idle);
            index += 1;
        } else {
            return Err(Error::SYNTAX);
        }
        index += 1;
    }
    Err(Error::SYNTAX)
}

/// Where reading the stream whose key stands at `key_at` begins, by the argument at `id_at`.
fn start(cx: &mut Context<'_>, key_at: usize, id_at: usize, reader: Option<&Reader>) -> Result<From, Error> {
    let (key, text) = (cx.key(key_at), cx.arg(id_at));
    let stream = match cx.db.read(&key) {
        Some(entry) => Some(entry.get::<Stream>()?),
        None => None,
    };
    if let Some(reader) = reader {
        check_group(stream, &key, reader)?;
        let meaningless = |id| {
            Error::new(format!(
                "ERR The {id} ID is meaningless in the context of XREADGROUP: you want to read the history of this \
                 consumer by specifying a proper ID, or use the > ID to get new messages. The {id} ID would \
                 just return an empty result set."
            ))
        };
        return match text {
            b"$" => Err(meaningless("$")),
            b"+" => Err(meaningless("+")),
            b">" => Ok(From::New),
            // The last ID that there can be has nothing behind it: Redis takes it for ">", too.
            _ => Ok(match id::parse_strict(cx, id_at)? {
                StreamId::MAX => From::New,
                id => From::Behind(id),
            }),
        };
    }
    let entries = stream.map(Stream::entries);
    match text {
        b"$" => Ok(From::Behind(entries.map_or(StreamId::MIN, Entries::last_id))),
        b"+" => {
            let last = entries.and_then(Entries::last).map(|entry| entry.id);
            Ok(From::Behind(last.and_then(StreamId::previous).or(entries.map(Entries::last_id)).unwrap_or_default()))
        }
        b">" => Err(Error::fixed(
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
        )),
        _ => Ok(From::Behind(id::parse_strict(cx, id_at)?)),
    }
}

fn check_group(stream: Option<&Stream>, key: &Key<'_>, reader: &Reader) -> Result<(), Error> {
    if stream.is_some_and(|stream| stream.group(&reader.group).is_some()) {
        return Ok(());
    }
    let error = super::groups::no_key_or_group(key.bytes, &reader.group);
    Err(Error::new([error.text(), b" in XREADGROUP with GROUP option"].concat()))
}

impl Blocking for Read {
    fn keys(&self) -> &[Vec<u8>] {
        &self.keys
    }

    fn wants(&self) -> Type {
        Type::Stream
    }

    fn hears_of_removal(&self) -> bool {
        self.reader.is_some()
    }

    fn serve(&self, db: &mut View<'_>, reply: &mut Reply, woken: bool) -> Result<bool, Error> {
        if let Some(reader) = &self.reader {
            // An error must come before the first effect.
            for key in &self.keys {
                let key = db.keyspace().key(key);
                if db.holds(&key) {
                    let stream = db.peek(&key).map(|entry| entry.get::<Stream>()).transpose()?;
                    check_group(stream, &key, reader)?;
                }
            }
        }
        let (deferred, mut served) = (reply.defer(), 0);
        let mark = reply.mark();
        for (key, from) in self.keys.iter().zip(&self.from) {
            let key = db.keyspace().key(key);
            if woken && !db.holds(&key) {
                continue;
            }
            let mark = reply.mark();
            if reply.resp() == Resp::V2 {
                reply.array(2);
            }
            reply.bulk(key.bytes);
            let found = match &self.reader {
                None => self.read_stream(db, &key, *from, reply)?,
                Some(reader) if woken && !has_new(db, &key, reader) => false,
                Some(reader) => self.read_group(db, &key, *from, reader, reply)?,
            };
            if found {
                served += 1;
            } else {
                reply.truncate_to(mark);
            }
        }
        if served == 0 {
            reply.truncate_to(mark);
            return Ok(false);
        }
        match reply.resp() {
            Resp::V2 => reply.end_array(deferred, served),
            Resp::V3 => reply.end_map(deferred, served),
        }
        Ok(true)
    }

    fn timed_out(&self, reply: &mut Reply) {
        reply.null_array();
    }

    fn next_try_ms(&self, db: &mut View<'_>) -> Option<i64> {
        let reader = self.reader.as_ref()?;
        let min_idle = reader.claim?;
        let keys = self.keys.iter().zip(&self.from).filter(|(_, from)| matches!(from, From::New));
        let now_ms = db.now_ms();
        let oldest = keys.filter_map(|(key, _)| {
            let key = db.keyspace().key(key);
            let stream = db.peek(&key)?.get::<Stream>().ok()?;
            stream.group(&reader.group)?.oldest_delivery()
        });
        let due = oldest.min().map(|delivered| delivered.saturating_add(min_idle)).filter(|due| *due > now_ms);
        // What is delivered from now on is not due before that, however short the time is.
        Some(due.unwrap_or(i64::MAX).min(now_ms.saturating_add(min_idle.max(LEAST_PAUSE_MS))))
    }
}

impl Read {
    /// Writes the entries of a stream. Tells whether there are any.
    fn read_stream(&self, db: &mut View<'_>, key: &Key<'_>, from: From, reply: &mut Reply) -> Result<bool, Error> {
        let Some(stream) = db.peek(key).and_then(|entry| entry.get::<Stream>().ok()) else { return Ok(false) };
        let From::Behind(last) = from else { return Ok(false) };
        let Some(first) = last.next() else { return Ok(false) };
        let mut entries = stream.entries().range(first, StreamId::MAX).take(self.count).peekable();
        if entries.peek().is_none() {
            return Ok(false);
        }
        id::reply_entries(reply, entries);
        Ok(true)
    }

    /// Writes what a consumer gets of a stream. Tells whether that is anything.
    fn read_group(
        &self,
        db: &mut View<'_>,
        key: &Key<'_>,
        from: From,
        reader: &Reader,
        reply: &mut Reply,
    ) -> Result<bool, Error> {
        let now_ms = db.now_ms();
        let mut handed = Handed::new(db);
        let served = db.change_existing::<Stream, _>(key, |stream, log| {
            let Some((entries, group)) = stream.group_mut(&reader.group) else { return false };
            let to = claimant(group, &reader.consumer, now_ms, log, &mut handed);
            // What is delivered once more counts as no change, though its number of deliveries does change.
            log.silently();
            let (deferred, mut count) = (reply.defer(), 0);
            match from {
                From::Behind(after) => {
                    group.deliver_again(entries, to, after, self.count, now_ms, |id, entry| {
                        count += 1;
                        match entry {
                            Some(entry) => reply_entry(reply, entry),
                            None => {
                                reply.array(2);
                                reply_id(reply, id);
                                reply.null_array();
                            }
                        }
                    });
                }
                From::New => {
                    if let Some(min_idle) = reader.claim {
                        let idle: Vec<StreamId> = group.idle_since(now_ms - min_idle).take(self.count).collect();
                        count = claim_idle(entries, group, to, &idle, now_ms, reply, &mut handed);
                    }
                    let (room, with_delivery) = (self.count - count, reader.claim.is_some());
                    let read_before = group.last_id;
                    let fresh = group.deliver(entries, to, room, !reader.no_ack, now_ms, |entry| {
                        if !with_delivery {
                            return reply_entry(reply, entry);
                        }
                        reply.array(4);
                        reply_id(reply, entry.id);
                        reply_fields(reply, entry);
                        reply.integer(0);
                        reply.integer(0);
                    });
                    if count > 0 || fresh > 0 && !reader.no_ack {
                        active(group, to, now_ms);
                    }
                    count += fresh;
                    if fresh > 0 {
                        handed.delivered(entries, group, read_before, !reader.no_ack);
                    }
                    if count == 0 {
                        return false;
                    }
                    log.changed_quietly(1);
                }
            }
            reply.end_array(deferred, count);
            true
        })?;
        handed.write_down(db, key, &reader.group, &reader.consumer);
        Ok(served == Some(true))
    }
}

/// Whether there may be something for a reader who waits, who only counts as seen if there is.
fn has_new(db: &mut View<'_>, key: &Key<'_>, reader: &Reader) -> bool {
    let due = reader.claim.map(|min_idle| db.now_ms() - min_idle);
    let Some(stream) = db.peek(key).and_then(|entry| entry.get::<Stream>().ok()) else { return false };
    let Some(group) = stream.group(&reader.group) else { return false };
    stream.entries().last().is_some_and(|last| last.id > group.last_id)
        || due.is_some_and(|due| group.oldest_delivery().is_some_and(|delivered| delivered <= due))
}

/// Gives a consumer entries that have been pending for long. What is not in the stream any more stops
/// being pending. Returns how many there were.
fn claim_idle(
    entries: &Entries,
    group: &mut Group,
    to: ConsumerAt,
    idle: &[StreamId],
    now_ms: i64,
    reply: &mut Reply,
    handed: &mut Handed,
) -> usize {
    let mut claimed = 0;
    for &id in idle {
        let Some(pending) = group.pending(id) else { continue };
        let Some(entry) = entries.get(id) else {
            handed.drops(group, id);
            group.acknowledge(id);
            continue;
        };
        reply.array(4);
        reply_id(reply, id);
        reply_fields(reply, entry);
        reply.integer(shown_idle(group, pending, now_ms));
        reply.integer(pending.deliveries);
        group.assign(id, to, now_ms, pending.deliveries.saturating_add(1));
        handed.claimed(group, id);
        claimed += 1;
    }
    claimed
}
