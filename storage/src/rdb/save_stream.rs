//! Writing streams.

use super::write::{Sink, Writer};
use crate::stream::{Stream, StreamId, StreamPart};

pub fn save_stream<S: Sink>(out: &mut Writer<'_, S>, stream: &Stream) {
    out.len(stream.entries().nodes());
    stream.each_part(|part| save_stream_part(out, part));
}

/// Writes a part of a stream. The number of nodes stands before them.
pub fn save_stream_part<S: Sink>(out: &mut Writer<'_, S>, part: StreamPart<'_>) {
    match part {
        StreamPart::Node(node) => {
            out.raw(&raw_id(node.first_id()));
            out.raw(node.as_bytes());
        }
        StreamPart::History(history) => {
            out.len(history.len);
            save_id(out, history.last_id);
            save_id(out, history.first_id);
            save_id(out, history.max_deleted_id);
            out.count(history.added);
            out.len(history.groups);
        }
        StreamPart::Group(name, head) => {
            out.raw(name);
            save_id(out, head.last_id);
            // All bits set mean that nobody knows.
            out.count(head.entries_read.unwrap_or(-1) as u64);
            out.len(head.pending);
        }
        StreamPart::Pending { id, pending, .. } => {
            out.bytes(&raw_id(id));
            out.int64(pending.delivered_ms);
            out.count(pending.deliveries.max(0) as u64);
        }
        StreamPart::Consumers(count) => out.len(count),
        StreamPart::Consumer { name, head, .. } => {
            out.raw(name);
            out.int64(head.seen_ms);
            out.len(head.pending);
        }
        StreamPart::Owned(id) => out.bytes(&raw_id(id)),
    }
}

fn save_id<S: Sink>(out: &mut Writer<'_, S>, id: StreamId) {
    out.count(id.ms);
    out.count(id.seq);
}

fn raw_id(id: StreamId) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}
