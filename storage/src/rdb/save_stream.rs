//! Writing streams.

use super::write::{Sink, Writer};
use crate::stream::{Consumer, Group, Stream, StreamId};

pub fn save_stream<S: Sink>(out: &mut Writer<'_, S>, stream: &Stream) {
    let entries = stream.entries();
    out.len(entries.nodes());
    for (first, bytes) in entries.node_bytes() {
        out.raw(&raw_id(first));
        out.raw(bytes);
    }
    out.len(entries.len());
    save_id(out, entries.last_id());
    save_id(out, entries.first_id());
    save_id(out, entries.max_deleted_id());
    out.count(entries.added());
    out.len(stream.groups().len());
    for (name, group) in stream.groups() {
        out.raw(name);
        save_group(out, group);
    }
}

fn save_id<S: Sink>(out: &mut Writer<'_, S>, id: StreamId) {
    out.count(id.ms);
    out.count(id.seq);
}

fn raw_id(id: StreamId) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}

fn save_group<S: Sink>(out: &mut Writer<'_, S>, group: &Group) {
    save_id(out, group.last_id);
    // All bits set mean that nobody knows.
    out.count(group.entries_read.unwrap_or(-1) as u64);
    out.len(group.pending_len());
    // What its consumer has released: the format knows no entry without a consumer.
    let mut released = Vec::new();
    for (id, pending) in group.pending_range(StreamId::MIN..=StreamId::MAX) {
        out.bytes(&raw_id(id));
        out.int64(pending.delivered_ms);
        out.count(pending.deliveries.max(0) as u64);
        if group.owner(pending).is_none() {
            released.push(id);
        }
    }
    // So the first consumer gets it; that it was never delivered to him lets anybody claim it at once.
    let nobody = released.is_empty() || group.consumers().len() > 0;
    out.len(group.consumers().len() + usize::from(!nobody));
    if !nobody {
        out.raw(b"");
        out.int64(0);
        save_pending(out, released.iter());
        released.clear();
    }
    for consumer in group.consumers() {
        save_consumer(out, consumer, &std::mem::take(&mut released));
    }
}

fn save_consumer<S: Sink>(out: &mut Writer<'_, S>, consumer: &Consumer, more: &[StreamId]) {
    out.raw(consumer.name());
    out.int64(consumer.seen_ms);
    let mut pending: Vec<&StreamId> = consumer.pending().iter().chain(more).collect();
    pending.sort();
    save_pending(out, pending.into_iter());
}

fn save_pending<'a, S: Sink>(out: &mut Writer<'_, S>, ids: impl ExactSizeIterator<Item = &'a StreamId>) {
    out.len(ids.len());
    ids.for_each(|id| out.bytes(&raw_id(*id)));
}
