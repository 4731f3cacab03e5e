//! Pending entries that go from one consumer to another, or back to the group.

use storage::Event;
use storage::stream::{ConsumerAt, Group, Stream, StreamId};
use storage::{Key, Log};

use super::groups::no_key_or_group;
use super::handed::Handed;
use super::id::{self, reply_entry, reply_id};
use crate::command::{CommandResult, Context, Error};

/// How a claimed entry is marked.
struct Claim {
    delivered_ms: i64,
    /// The number of deliveries from now on; `None` counts one more.
    deliveries: Option<i64>,
    /// Reply only the ID, and count no delivery.
    only_id: bool,
}

pub(super) fn xclaim(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    existing_group(cx, &key)?;
    let invalid = |option| Error::new(format!("ERR Invalid {option} argument for XCLAIM"));
    let min_idle = protocol::parse_i64(cx.arg(4)).ok_or_else(|| invalid("min-idle-time"))?.max(0);
    let (args, now_ms) = (cx.args, cx.now_ms());
    // What is no ID begins the options.
    let ids: Vec<StreamId> = (5..args.len()).map_while(|index| id::parse_strict_text(cx.arg(index))).collect();
    let mut claim = Claim { delivered_ms: now_ms, deliveries: None, only_id: false };
    let (mut force, mut last_id, mut delivered_ms) = (false, StreamId::MIN, None);
    let mut index = 5 + ids.len();
    while index < args.len() {
        let more = index + 1 < args.len();
        if cx.arg_is(index, "force") {
            force = true;
        } else if cx.arg_is(index, "justid") {
            claim.only_id = true;
        } else if cx.arg_is(index, "idle") && more {
            index += 1;
            let idle = protocol::parse_i64(cx.arg(index)).ok_or_else(|| invalid("IDLE option"))?;
            delivered_ms = Some(now_ms.wrapping_sub(idle));
        } else if cx.arg_is(index, "time") && more {
            index += 1;
            delivered_ms = Some(protocol::parse_i64(cx.arg(index)).ok_or_else(|| invalid("TIME option"))?);
        } else if cx.arg_is(index, "retrycount") && more {
            index += 1;
            let count = protocol::parse_i64(cx.arg(index)).ok_or_else(|| invalid("RETRYCOUNT option"))?;
            claim.deliveries = (count >= 0).then_some(count);
        } else if cx.arg_is(index, "lastid") && more {
            index += 1;
            last_id = id::parse_strict(cx, index)?;
        } else {
            return Err(Error::quoting("ERR Unrecognized XCLAIM option '", cx.arg(index), "'"));
        }
        index += 1;
    }
    // A time that cannot be is no error: clients reckon with clocks of their own.
    claim.delivered_ms = delivered_ms.filter(|time| (0..=now_ms).contains(time)).unwrap_or(now_ms);
    let (name, consumer) = (cx.arg(2), cx.arg(3));
    let (reply, mut handed) = (&mut *cx.reply, Handed::new(cx.db));
    cx.db.change_existing::<Stream, _>(&key, |stream, log| {
        let Some((entries, group)) = stream.group_mut(name) else { return };
        let mut dirty = 0;
        if last_id > group.last_id {
            group.last_id = last_id;
            dirty = 1;
        }
        let to = claimant(group, consumer, now_ms, log, &mut handed);
        let (deferred, mut count, mut claimed) = (reply.defer(), 0, 0);
        for &id in &ids {
            let pending = group.pending(id);
            let Some(entry) = entries.get(id) else {
                handed.drops(group, id);
                claimed += usize::from(group.acknowledge(id));
                continue;
            };
            let deliveries = match pending {
                None if !force => continue,
                // It counts as delivered to nobody before it is claimed.
                None => 1,
                Some(old) => {
                    let owned = group.owner(old).is_some();
                    if owned && min_idle > 0 && now_ms - old.delivered_ms < min_idle {
                        continue;
                    }
                    old.deliveries
                }
            };
            group.assign(id, to, claim.delivered_ms, claim.counted(deliveries));
            handed.claimed(group, id);
            claimed += 1;
            count += 1;
            if claim.only_id {
                reply_id(reply, id);
            } else {
                reply_entry(reply, entry);
            }
        }
        if count > 0 {
            active(group, to, now_ms);
        }
        if count == 0 && dirty > 0 {
            handed.read(group);
        }
        reply.end_array(deferred, count);
        log.changed_quietly(if claimed > 0 { claimed } else { dirty });
    })?;
    handed.write_down(cx.db, &key, name, consumer);
    Ok(())
}

impl Claim {
    fn counted(&self, before: i64) -> i64 {
        match self.deliveries {
            Some(deliveries) => deliveries,
            None if self.only_id => before,
            None => before.saturating_add(1),
        }
    }
}

pub(super) fn xautoclaim(cx: &mut Context<'_>) -> CommandResult {
    /// How many more pending entries are looked at than are wanted.
    const ATTEMPTS: usize = 10;
    let text = "ERR Invalid min-idle-time argument for XAUTOCLAIM";
    let min_idle = protocol::parse_i64(cx.arg(4)).ok_or(Error::fixed(text))?.max(0);
    let start = id::range_start(cx, 5)?;
    let (mut wanted, mut only_id) = (100, false);
    let mut index = 6;
    while index < cx.args.len() {
        if cx.arg_is(index, "count") && index + 1 < cx.args.len() {
            const MOST: i64 = i64::MAX / 16;
            let count = protocol::parse_i64(cx.arg(index + 1)).filter(|count| (1..=MOST).contains(count));
            let count = count.ok_or(Error::fixed("ERR COUNT must be > 0"))?;
            // Redis keeps room for so many IDs; more than an address space of them is no use.
            const ROOM: i64 = 1 << 43;
            if count > ROOM {
                return Err(Error::fixed(
                    "ERR Insufficient memory, failed allocating transient memory, COUNT too high.",
                ));
            }
            wanted = count as usize;
            index += 1;
        } else if cx.arg_is(index, "justid") {
            only_id = true;
        } else {
            return Err(Error::SYNTAX);
        }
        index += 1;
    }
    let key = cx.key(1);
    existing_group(cx, &key)?;
    let (name, consumer, now_ms) = (cx.arg(2), cx.arg(3), cx.now_ms());
    let claim = Claim { delivered_ms: now_ms, deliveries: None, only_id };
    let (reply, mut handed) = (&mut *cx.reply, Handed::new(cx.db));
    cx.db.change_existing::<Stream, _>(&key, |stream, log| {
        let Some((entries, group)) = stream.group_mut(name) else { return };
        let to = claimant(group, consumer, now_ms, log, &mut handed);
        // What is looked at is known before anything is changed.
        let (mut chosen, mut deleted, mut next) = (Vec::new(), Vec::new(), None);
        let (mut attempts, mut room) = (wanted.saturating_mul(ATTEMPTS), wanted);
        for (id, pending) in group.pending_range(start..=StreamId::MAX) {
            if attempts == 0 || room == 0 {
                next = Some(id);
                break;
            }
            attempts -= 1;
            match entries.get(id) {
                None => deleted.push(id),
                Some(_) if min_idle > 0 && now_ms - pending.delivered_ms < min_idle => continue,
                Some(entry) => chosen.push((entry, pending.deliveries)),
            }
            room -= 1;
        }
        reply.array(3);
        reply_id(reply, next.unwrap_or(StreamId::MIN));
        reply.array(chosen.len());
        for (entry, deliveries) in &chosen {
            if only_id {
                reply_id(reply, entry.id);
            } else {
                reply_entry(reply, *entry);
            }
            group.assign(entry.id, to, now_ms, claim.counted(*deliveries));
            handed.claimed(group, entry.id);
        }
        if !chosen.is_empty() {
            active(group, to, now_ms);
        }
        reply.array(deleted.len());
        for id in &deleted {
            reply_id(reply, *id);
            handed.drops(group, *id);
            group.acknowledge(*id);
        }
        handed.in_order();
        log.changed_quietly(chosen.len() + deleted.len());
    })?;
    handed.write_down(cx.db, &key, name, consumer);
    Ok(())
}

/// What XNACK does to the number of deliveries.
#[derive(Clone, Copy)]
enum Mode {
    /// As if there had been none.
    Silent,
    Fail,
    /// Nobody should try again.
    Fatal,
}

/// XNACK key group SILENT | FAIL | FATAL IDS number id... [RETRYCOUNT count] [FORCE]
pub(super) fn xnack(cx: &mut Context<'_>) -> CommandResult {
    let key = cx.key(1);
    existing_group(cx, &key)?;
    let modes = [("silent", Mode::Silent), ("fail", Mode::Fail), ("fatal", Mode::Fatal)];
    let mode = modes.iter().find(|(name, _)| cx.arg_is(3, name)).map(|(_, mode)| *mode);
    let mode = mode.ok_or(Error::fixed("ERR mode must be SILENT, FAIL, or FATAL"))?;
    if !cx.arg_is(4, "ids") {
        return Err(Error::fixed("ERR syntax error, expected IDS keyword"));
    }
    let number = protocol::parse_i64(cx.arg(5)).filter(|number| (1..=i64::from(i32::MAX)).contains(number));
    let number = number.ok_or(Error::fixed("ERR numids must be a positive integer"))? as usize;
    let behind = 6 + number;
    if behind > cx.args.len() {
        return Err(Error::fixed("ERR number of IDs doesn't match numids"));
    }
    let (mut retry_count, mut force) = (None, false);
    let mut index = behind;
    while index < cx.args.len() {
        if cx.arg_is(index, "retrycount") && index + 1 < cx.args.len() {
            let text = "ERR Invalid RETRYCOUNT value, must be >= 0";
            let count = protocol::parse_i64(cx.arg(index + 1)).filter(|count| *count >= 0);
            retry_count = Some(count.ok_or(Error::fixed(text))?);
            index += 2;
        } else if cx.arg_is(index, "force") {
            force = true;
            index += 1;
        } else {
            return Err(Error::quoting("ERR Unrecognized XNACK option '", cx.arg(index), "'"));
        }
    }
    let ids = id::parse_all(cx, 6, behind)?;
    let name = cx.arg(2);
    let released = cx.db.change_existing::<Stream, _>(&key, |stream, log| {
        let Some((entries, group)) = stream.group_mut(name) else { return 0 };
        let mut released = 0;
        for &id in &ids {
            let before = match group.pending(id) {
                Some(pending) => pending.deliveries,
                None if force && entries.get(id).is_some() => 0,
                None => continue,
            };
            let deliveries = retry_count.unwrap_or(match mode {
                Mode::Silent => (before - 1).max(0),
                Mode::Fail => before,
                Mode::Fatal => i64::MAX,
            });
            group.release(id, deliveries);
            released += 1;
        }
        log.changed_quietly(released);
        log.wake();
        released
    })?;
    cx.reply.integer(released.unwrap_or(0) as i64);
    Ok(())
}

/// The stream and the group that the request names must exist.
fn existing_group(cx: &mut Context<'_>, key: &Key<'_>) -> Result<(), Error> {
    let name = cx.arg(2);
    let group = match cx.db.peek(key) {
        Some(entry) => entry.get::<Stream>()?.group(name),
        None => None,
    };
    group.map(|_| ()).ok_or_else(|| no_key_or_group(key.bytes, name))
}

/// The consumer who claims; made if need be, which is told.
pub(super) fn claimant(group: &mut Group, name: &[u8], now_ms: i64, log: &mut Log, handed: &mut Handed) -> ConsumerAt {
    let (at, made) = group.find_or_add(name, now_ms);
    if made {
        handed.new_consumer = true;
        log.changed(Event::XGROUP_CREATECONSUMER, 1);
    }
    if let Some(consumer) = group.consumer_mut(at) {
        consumer.seen_ms = now_ms;
    }
    at
}

/// The consumer has got something.
pub(super) fn active(group: &mut Group, at: ConsumerAt, now_ms: i64) {
    if let Some(consumer) = group.consumer_mut(at) {
        consumer.active_ms = Some(now_ms);
    }
}
