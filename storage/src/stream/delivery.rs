//! Entries that go to the consumers of a group.

use std::ops::Bound;

use super::entries::Entries;
use super::group::{ConsumerAt, Group};
use super::id::StreamId;
use super::node::Entry;

impl Group {
    /// Gives a consumer up to `count` entries that nobody has got yet, showing each to `show`. Without `keep` they do
    /// not become pending. Returns how many there were.
    pub fn deliver(
        &mut self,
        entries: &Entries,
        to: ConsumerAt,
        count: usize,
        keep: bool,
        now_ms: i64,
        mut show: impl FnMut(Entry<'_>),
    ) -> usize {
        let Some(from) = self.last_id.next() else { return 0 };
        let mut delivered = 0;
        for entry in entries.range(from, StreamId::MAX).take(count) {
            self.entries_read = match self.entries_read {
                Some(read) if self.last_id >= entries.first_id && !entries.has_gaps_behind(self.last_id) => {
                    Some(read.wrapping_add(1))
                }
                read if entries.added == 0 => read,
                _ => entries.distance(entry.id),
            };
            self.last_id = entry.id;
            show(entry);
            if keep {
                self.assign(entry.id, to, now_ms, 1);
            }
            delivered += 1;
        }
        delivered
    }

    /// Gives a consumer what it has pending behind an ID once more, up to `count` entries; what is not in the stream
    /// any more is shown without its entry.
    pub fn deliver_again(
        &mut self,
        entries: &Entries,
        to: ConsumerAt,
        after: StreamId,
        count: usize,
        now_ms: i64,
        mut show: impl FnMut(StreamId, Option<Entry<'_>>),
    ) {
        let Some(consumer) = self.consumer_mut(to) else { return };
        let pending = consumer.pending().range((Bound::Excluded(after), Bound::Unbounded));
        let ids: Vec<StreamId> = pending.take(count).copied().collect();
        for id in ids {
            let entry = entries.get(id);
            show(id, entry);
            if entry.is_some() {
                self.count_delivery(id, now_ms);
            }
        }
    }

    /// Whether the group has read an entry and acknowledged it.
    pub fn is_done_with(&self, id: StreamId) -> bool {
        id <= self.last_id && self.pending(id).is_none()
    }

    /// How many entries the group has not got yet, if that can be told without counting.
    pub fn lag(&self, entries: &Entries) -> Option<i64> {
        let added = entries.added as i64;
        if added == 0 || entries.is_empty() {
            return Some(0);
        }
        if self.last_id < entries.first_id && entries.max_deleted_id < entries.first_id {
            return Some(entries.len as i64);
        }
        let read = match self.entries_read {
            Some(read) if !entries.has_gaps_behind(self.last_id) => Some(read),
            _ => entries.distance(self.last_id),
        };
        read.map(|read| added.wrapping_sub(read))
    }
}
