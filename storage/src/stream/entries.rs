//! The entries of a stream, and what is known about those that were there before.

use std::collections::BTreeMap;

use super::group::tree;
use super::id::StreamId;
use super::node::{Entry, Node, StreamLimits};
use super::then::NodesThen;
use crate::memory::good_size;
use crate::snapshot::Aside;

pub(super) type Nodes = BTreeMap<StreamId, Node>;

/// The entries of a stream, in the order of their IDs.
#[derive(Clone, Default)]
pub struct Entries {
    /// Nodes by their first IDs, which may be deleted ones.
    pub(super) nodes: Nodes,
    pub(super) len: usize,
    pub(super) last_id: StreamId,
    pub(super) first_id: StreamId,
    pub(super) max_deleted_id: StreamId,
    pub(super) added: u64,
    /// There while a snapshot of the nodes is written in pieces.
    pub(super) then: Aside<NodesThen>,
}

impl Entries {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The highest ID that there ever was.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The ID of the first entry; [`StreamId::MIN`] without entries.
    pub fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// The highest ID that was deleted one by one.
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// How many entries were ever added.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// How many nodes hold them.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The entries with IDs from `from` to `to`.
    pub fn range(&self, from: StreamId, to: StreamId) -> impl Iterator<Item = Entry<'_>> {
        let first = self.node_of(from).unwrap_or(StreamId::MIN);
        let nodes = (first <= to).then(|| self.nodes.range(first..=to)).into_iter().flatten();
        let entries = nodes.flat_map(|(first, node)| node.as_ref(*first).entries());
        entries.skip_while(move |entry| entry.id < from).take_while(move |entry| entry.id <= to)
    }

    /// The same, the last one first.
    pub fn range_back(&self, from: StreamId, to: StreamId) -> impl Iterator<Item = Entry<'_>> {
        let nodes = self.nodes.range(..=to).rev();
        let entries = nodes.flat_map(|(first, node)| node.as_ref(*first).entries_back());
        entries.skip_while(move |entry| entry.id > to).take_while(move |entry| entry.id >= from)
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.range(StreamId::MIN, StreamId::MAX)
    }

    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// The last entry.
    pub fn last(&self) -> Option<Entry<'_>> {
        self.range_back(StreamId::MIN, StreamId::MAX).next()
    }

    /// The ID of the node that has an entry if any has: the last one that does not begin behind it.
    fn node_of(&self, id: StreamId) -> Option<StreamId> {
        self.nodes.range(..=id).next_back().map(|(first, _)| *first)
    }

    /// Adds an entry. Names and values take turns in `fields`. Tells whether it did: only above the last ID.
    pub(super) fn append(&mut self, id: StreamId, fields: &[&[u8]], limits: StreamLimits) -> bool {
        if id <= self.last_id {
            return false;
        }
        if self.then.is_some() {
            self.keep_before_append(id);
        }
        let bytes = fields.iter().map(|text| text.len()).sum();
        match self.nodes.last_entry() {
            Some(mut open) if !open.get().is_full(bytes, limits) => {
                let first = *open.key();
                open.get_mut().append(first, id, fields);
            }
            open => {
                if let Some(mut full) = open {
                    full.get_mut().close();
                }
                self.nodes.insert(id, Node::new(fields));
            }
        }
        self.len += 1;
        self.added = self.added.wrapping_add(1);
        self.last_id = id;
        if self.len == 1 {
            self.first_id = id;
        }
        true
    }

    /// Adds a node that comes from outside. Tells whether it did: only one that is whole, and above the last ID.
    pub(super) fn append_node(&mut self, first: StreamId, bytes: Vec<u8>) -> bool {
        if first <= self.last_id {
            return false;
        }
        let Some(node) = Node::validate(first, bytes) else { return false };
        let alive = node.alive();
        self.last_id = node.as_ref(first).last_id().unwrap_or(first);
        self.nodes.insert(first, node);
        self.added = self.added.wrapping_add(alive as u64);
        self.len += alive;
        if self.len == alive {
            self.find_first();
        }
        true
    }

    /// The bytes of the nodes, which are Redis's, and their first IDs.
    pub fn node_bytes(&self) -> impl Iterator<Item = (StreamId, &[u8])> {
        self.nodes.iter().map(|(first, node)| (*first, node.as_ref(*first).as_bytes()))
    }

    /// Deletes an entry. Tells whether it was there.
    pub(super) fn remove(&mut self, id: StreamId) -> bool {
        let Some(first) = self.node_of(id) else { return false };
        if self.delete_in(first, |at| (at <= id).then_some(at == id)) == 0 {
            return false;
        }
        if self.nodes.get(&first).is_some_and(|node| node.alive() == 0) {
            self.remove_node(first);
        }
        self.len -= 1;
        self.max_deleted_id = self.max_deleted_id.max(id);
        if self.len == 0 || id == self.first_id {
            self.find_first();
        }
        true
    }

    pub(super) fn find_first(&mut self) {
        let first = self.iter().next().map(|entry| entry.id);
        self.first_id = first.unwrap_or(StreamId::MIN);
    }

    /// Whether entries behind `from` may have been deleted one by one.
    pub(super) fn has_gaps_behind(&self, from: StreamId) -> bool {
        let deleted = self.max_deleted_id;
        self.len > 0 && deleted != StreamId::MIN && self.first_id <= deleted && from <= deleted
    }

    /// How many entries were ever added up to an ID, where that can be told without counting.
    pub(crate) fn distance(&self, id: StreamId) -> Option<i64> {
        let added = self.added as i64;
        if added == 0 {
            return Some(0);
        }
        if self.len == 0 && id <= self.last_id || id == self.last_id {
            return Some(added);
        }
        if id > self.last_id || self.max_deleted_id != StreamId::MIN && self.max_deleted_id >= self.first_id {
            return None;
        }
        let before = added.wrapping_sub(self.len as i64);
        match id.cmp(&self.first_id) {
            std::cmp::Ordering::Less => Some(before),
            std::cmp::Ordering::Equal => Some(before.wrapping_add(1)),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// How many nodes a radix tree over the IDs of the nodes has, one byte per step and the steps without a choice put
    /// together, as Redis keeps them and XINFO tells.
    pub fn radix_nodes(&self) -> usize {
        const DEPTH: usize = size_of::<StreamId>();
        let keys = || self.nodes.keys().map(|id| id.sortable());
        // The depths at which neighbours part.
        let common = |a: [u8; DEPTH], b: [u8; DEPTH]| a.iter().zip(b).take_while(|(a, b)| *a == b).count();
        let depths = keys().zip(keys().skip(1)).map(|(a, b)| common(a, b));
        let run = |top: usize, end: usize| usize::from(end > top);
        let (mut nodes, mut last, mut open) = (0, None::<usize>, Vec::<usize>::new());
        for depth in depths.map(Some).chain([None]) {
            if self.nodes.is_empty() {
                break;
            }
            // A key's own leaf, and the steps from where it parts from both neighbours.
            nodes += 1 + run(last.max(depth).map_or(0, |parts| parts + 1), DEPTH);
            // Forks that no later key passes.
            while let Some(fork) = open.pop_if(|fork| depth.is_none_or(|depth| *fork > depth)) {
                let above = open.last().copied().max(depth);
                nodes += 1 + run(above.map_or(0, |above| above + 1), fork);
            }
            if let Some(depth) = depth.filter(|depth| open.last() != Some(depth)) {
                open.push(depth);
            }
            last = depth;
        }
        nodes.max(1)
    }

    /// Bytes of memory, about.
    pub(super) fn memory(&self) -> usize {
        let packs: usize = self.nodes.values().map(|node| good_size(node.capacity())).sum();
        packs + tree::<(StreamId, Node)>(self.nodes.len())
    }
}
