//! What groups have been given and not acknowledged.

use storage::stream::{Group, Pending, Stream, StreamId};

use super::groups::{change_group, no_key_or_group};
use super::id::{self, reply_id};
use crate::command::{CommandResult, Context, Error};

pub(super) fn xack(cx: &mut Context<'_>) -> CommandResult {
    let (key, name) = (cx.key(1), cx.arg(2));
    let exists = match cx.db.peek(&key) {
        Some(entry) => entry.get::<Stream>()?.group(name).is_some(),
        None => false,
    };
    if !exists {
        cx.reply.integer(0);
        return Ok(());
    }
    let ids = id::parse_all(cx, 3, cx.args.len())?;
    let acknowledged = change_group(cx, &key, name, |group, log| {
        let acknowledged = ids.iter().filter(|id| group.acknowledge(**id)).count();
        if acknowledged > 0 {
            log.changed_quietly(acknowledged);
        }
        acknowledged
    })?;
    cx.reply.integer(acknowledged.unwrap_or(0) as i64);
    Ok(())
}

/// What XPENDING lists.
struct Filter<'a> {
    from: StreamId,
    to: StreamId,
    count: usize,
    min_idle_ms: i64,
    consumer: Option<&'a [u8]>,
}

pub(super) fn xpending(cx: &mut Context<'_>) -> CommandResult {
    let filter = match cx.args.len() {
        3 => None,
        6..=9 => Some(filter(cx)?),
        _ => return Err(Error::SYNTAX),
    };
    let (key, name, now_ms) = (cx.key(1), cx.arg(2), cx.now_ms());
    let group = match cx.db.read(&key) {
        Some(entry) => entry.get::<Stream>()?.group(name),
        None => None,
    };
    let group = group.ok_or_else(|| no_key_or_group(key.bytes, name))?;
    match filter {
        None => reply_summary(cx.reply, group),
        Some(filter) => reply_list(cx.reply, group, &filter, now_ms),
    }
    Ok(())
}

fn filter<'a>(cx: &Context<'a>) -> Result<Filter<'a>, Error> {
    let (mut start, mut min_idle_ms) = (3, 0);
    if cx.arg_is(3, "idle") {
        min_idle_ms = cx.integer(4)?;
        if cx.args.len() < 8 {
            return Err(Error::SYNTAX);
        }
        start = 5;
    }
    let count = usize::try_from(cx.integer(start + 2)?).unwrap_or(0);
    let (from, to) = (id::range_start(cx, start)?, id::range_end(cx, start + 1)?);
    Ok(Filter { from, to, count, min_idle_ms, consumer: cx.args.get(start + 3) })
}

fn reply_summary(reply: &mut protocol::Reply, group: &Group) {
    reply.array(4);
    reply.integer(group.pending_len() as i64);
    let mut all = group.pending_range(StreamId::MIN..=StreamId::MAX);
    let Some((first, _)) = all.next() else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    let last = all.next_back().map_or(first, |(last, _)| last);
    reply_id(reply, first);
    reply_id(reply, last);
    let (deferred, mut count) = (reply.defer(), 0);
    for consumer in group.consumers().filter(|consumer| !consumer.pending().is_empty()) {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_integer(consumer.pending().len() as i64);
        count += 1;
    }
    reply.end_array(deferred, count);
}

fn reply_list(reply: &mut protocol::Reply, group: &Group, filter: &Filter<'_>, now_ms: i64) {
    let idle_enough =
        |pending: &Pending| filter.min_idle_ms == 0 || now_ms - pending.delivered_ms >= filter.min_idle_ms;
    let (deferred, mut count) = (reply.defer(), 0);
    let mut list = |id: StreamId, pending: Pending| {
        reply.array(4);
        reply_id(reply, id);
        reply.bulk(group.owner(pending).map_or(b"", |owner| owner.name()));
        reply.integer(shown_idle(group, pending, now_ms));
        reply.integer(pending.deliveries);
        count += 1;
    };
    let range = filter.from..=filter.to;
    match filter.consumer {
        None => {
            let all = group.pending_range(range).filter(|(_, pending)| idle_enough(pending));
            all.take(filter.count).for_each(|(id, pending)| list(id, pending));
        }
        Some(name) => {
            if let Some(consumer) = group.consumer(name).filter(|_| !range.is_empty()) {
                let own = consumer.pending().range(range).filter_map(|id| Some((*id, group.pending(*id)?)));
                let own = own.filter(|(_, pending)| idle_enough(pending));
                own.take(filter.count).for_each(|(id, pending)| list(id, pending));
            }
        }
    }
    reply.end_array(deferred, count);
}

/// For how long an entry was not delivered; -1 where it has been given back.
pub(super) fn shown_idle(group: &Group, pending: Pending, now_ms: i64) -> i64 {
    if group.owner(pending).is_none() { -1 } else { (now_ms - pending.delivered_ms).max(0) }
}
