//! Consumer groups: who has got which entries and has not acknowledged them yet.
//!
//! What is pending belongs to the group, by ID. A consumer only has the IDs of its own, and a pending entry the number
//! of its consumer, so nothing points in circles.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::id::StreamId;
use super::then::GroupThen;
use crate::memory::good_size;
use crate::snapshot::Aside;

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    owner: Option<u32>,
    /// When it was delivered last, in Unix milliseconds; 0 after it was released.
    pub delivered_ms: i64,
    /// How often.
    pub deliveries: i64,
}

/// Who reads for a group.
#[derive(Clone)]
pub struct Consumer {
    name: Arc<[u8]>,
    /// When it last tried to get entries, in Unix milliseconds.
    pub seen_ms: i64,
    /// When it last got some.
    pub active_ms: Option<i64>,
    pending: BTreeSet<StreamId>,
}

impl Consumer {
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    pub(super) fn shared_name(&self) -> Arc<[u8]> {
        Arc::clone(&self.name)
    }

    /// The IDs of what it has not acknowledged.
    pub fn pending(&self) -> &BTreeSet<StreamId> {
        &self.pending
    }
}

/// A consumer of a group, as long as it is not deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConsumerAt(u32);

/// The numbers of consumers by their names.
type Names = BTreeMap<Arc<[u8]>, u32>;

/// A group of consumers that share a stream's entries.
#[derive(Clone)]
pub struct Group {
    /// The last entry that was delivered to any consumer.
    pub last_id: StreamId,
    /// How many entries of the stream lie up to there, as far as that is known.
    pub entries_read: Option<i64>,
    pending: BTreeMap<StreamId, Pending>,
    /// `pending` in the order of delivery. Kept from the first time on that somebody asks for it.
    by_time: Option<BTreeSet<(i64, StreamId)>>,
    names: Names,
    consumers: Vec<Option<Consumer>>,
    /// The places in `consumers` that are free.
    vacant: Vec<u32>,
    /// How many pending entries have no consumer.
    released: usize,
    /// There while a snapshot of the group is written in pieces.
    pub(super) then: Aside<GroupThen>,
}

impl Group {
    pub(super) fn new(last_id: StreamId, entries_read: Option<i64>) -> Group {
        Group {
            last_id,
            entries_read,
            pending: BTreeMap::new(),
            by_time: None,
            names: BTreeMap::new(),
            consumers: Vec::new(),
            vacant: Vec::new(),
            released: 0,
            then: Aside::default(),
        }
    }

    /// How many entries are pending.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// How many of them have been released by their consumers.
    pub fn released_len(&self) -> usize {
        self.released
    }

    pub fn pending(&self, id: StreamId) -> Option<Pending> {
        self.pending.get(&id).copied()
    }

    /// What is pending within a range of IDs.
    pub fn pending_range(&self, ids: RangeInclusive<StreamId>) -> impl DoubleEndedIterator<Item = (StreamId, Pending)> {
        let ids = (!ids.is_empty()).then_some(ids);
        ids.into_iter().flat_map(|ids| self.pending.range(ids)).map(|(id, pending)| (*id, *pending))
    }

    /// The consumer that has a pending entry, if it was not released.
    pub fn owner(&self, pending: Pending) -> Option<&Consumer> {
        self.consumers.get(pending.owner? as usize)?.as_ref()
    }

    /// All consumers, in the order of their names.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer> {
        // Every name leads to its consumer.
        self.names.values().map(|at| self.consumers[*at as usize].as_ref().expect("a name of a consumer"))
    }

    pub fn consumer(&self, name: &[u8]) -> Option<&Consumer> {
        self.consumers.get(*self.names.get(name)? as usize)?.as_ref()
    }

    /// What is pending, and the numbers of the consumers by their names.
    pub(super) fn maps(&self) -> (&BTreeMap<StreamId, Pending>, &Names) {
        (&self.pending, &self.names)
    }

    /// The consumer of a number.
    pub(super) fn consumer_at(&self, at: u32) -> Option<&Consumer> {
        self.consumers.get(at as usize)?.as_ref()
    }

    /// The consumer with a name, and whether it has just been made.
    pub fn find_or_add(&mut self, name: &[u8], now_ms: i64) -> (ConsumerAt, bool) {
        if let Some(at) = self.names.get(name) {
            return (ConsumerAt(*at), false);
        }
        let name: Arc<[u8]> = name.into();
        if self.then.is_some() {
            self.keep_consumer(&name);
        }
        let consumer = Consumer { name: name.clone(), seen_ms: now_ms, active_ms: None, pending: BTreeSet::new() };
        let at = self.vacant.pop().unwrap_or(self.consumers.len() as u32);
        match self.consumers.get_mut(at as usize) {
            Some(place) => *place = Some(consumer),
            None => self.consumers.push(Some(consumer)),
        }
        self.names.insert(name, at);
        (ConsumerAt(at), true)
    }

    pub fn consumer_mut(&mut self, at: ConsumerAt) -> Option<&mut Consumer> {
        if self.then.is_some() {
            let name = self.consumer_at(at.0)?.shared_name();
            self.keep_consumer(&name);
        }
        self.consumers.get_mut(at.0 as usize)?.as_mut()
    }

    /// Deletes a consumer with what it has pending. Returns how much that was.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        if self.then.is_some() {
            self.keep_all_of(name);
        }
        let at = self.names.remove(name)?;
        let consumer = self.consumers.get_mut(at as usize)?.take()?;
        self.vacant.push(at);
        for id in &consumer.pending {
            if let Some(pending) = self.pending.remove(id) {
                self.forget_time(*id, pending);
            }
        }
        Some(consumer.pending.len())
    }

    /// Acknowledges an entry. Tells whether it was pending.
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        if self.then.is_some() {
            self.keep_pending(id);
        }
        let Some(pending) = self.pending.remove(&id) else { return false };
        self.forget_time(id, pending);
        self.disown(id, pending);
        true
    }

    /// Gives an entry, pending or not, to a consumer.
    pub fn assign(&mut self, id: StreamId, to: ConsumerAt, delivered_ms: i64, deliveries: i64) {
        self.put(id, Pending { owner: Some(to.0), delivered_ms, deliveries });
    }

    /// Takes an entry, pending or not, from whoever has it: the next one who asks for idle entries gets it.
    pub fn release(&mut self, id: StreamId, deliveries: i64) {
        self.put(id, Pending { owner: None, delivered_ms: 0, deliveries });
    }

    /// Counts another delivery to the consumer who has the entry already.
    pub(super) fn count_delivery(&mut self, id: StreamId, now_ms: i64) {
        if let Some(old) = self.pending(id) {
            self.put(id, Pending { delivered_ms: now_ms, deliveries: old.deliveries.saturating_add(1), ..old });
        }
    }

    fn put(&mut self, id: StreamId, new: Pending) {
        if self.then.is_some() {
            self.keep_pending(id);
        }
        let old = self.pending.insert(id, new);
        if let Some(old) = old {
            self.forget_time(id, old);
        }
        if let Some(by_time) = &mut self.by_time {
            by_time.insert((new.delivered_ms, id));
        }
        if old.is_some_and(|old| old.owner == new.owner) {
            return;
        }
        if let Some(old) = old {
            self.disown(id, old);
        }
        match new.owner.map(ConsumerAt) {
            None => self.released += 1,
            Some(at) => {
                if let Some(consumer) = self.consumer_mut(at) {
                    consumer.pending.insert(id);
                }
            }
        }
    }

    /// Takes an entry off its consumer's list.
    fn disown(&mut self, id: StreamId, old: Pending) {
        match old.owner.map(ConsumerAt) {
            None => self.released -= 1,
            Some(at) => {
                if let Some(consumer) = self.consumer_mut(at) {
                    consumer.pending.remove(&id);
                }
            }
        }
    }

    fn forget_time(&mut self, id: StreamId, old: Pending) {
        if let Some(by_time) = &mut self.by_time {
            by_time.remove(&(old.delivered_ms, id));
        }
    }

    /// What was delivered last up to a time, the longest ago first.
    pub fn idle_since(&mut self, until_ms: i64) -> impl Iterator<Item = StreamId> {
        let pending = &self.pending;
        let by_time =
            self.by_time.get_or_insert_with(|| pending.iter().map(|(id, at)| (at.delivered_ms, *id)).collect());
        by_time.iter().take_while(move |(delivered, _)| *delivered <= until_ms).map(|(_, id)| *id)
    }

    /// When the entry that was delivered the longest ago was.
    pub fn oldest_delivery(&self) -> Option<i64> {
        match &self.by_time {
            Some(by_time) => by_time.first().map(|(delivered, _)| *delivered),
            None => self.pending.values().map(|pending| pending.delivered_ms).min(),
        }
    }

    /// Bytes of memory, about.
    pub(super) fn memory(&self) -> usize {
        let names: usize = self.names.keys().map(|name| good_size(name.len() + 2 * size_of::<usize>())).sum();
        let lists: usize = self.consumers.iter().flatten().map(|one| tree::<StreamId>(one.pending.len())).sum();
        names
            + lists
            + tree::<(StreamId, Pending)>(self.pending.len())
            + self.by_time.as_ref().map_or(0, |by_time| tree::<(i64, StreamId)>(by_time.len()))
            + tree::<(Arc<[u8]>, u32)>(self.names.len())
            + good_size(self.consumers.capacity() * size_of::<Option<Consumer>>())
            + good_size(self.vacant.capacity() * size_of::<u32>())
    }
}

/// Bytes that an ordered map of the standard library takes, about: its nodes have room for eleven and are two thirds
/// full, and every twelfth has pointers to others.
pub(super) fn tree<T>(len: usize) -> usize {
    const ROOM: usize = 11;
    let node = good_size(ROOM * size_of::<T>() + 2 * size_of::<usize>());
    len.div_ceil(ROOM * 2 / 3) * (node + size_of::<usize>())
}
