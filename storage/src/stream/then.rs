//! What a stream keeps of its nodes and groups as they were, while a snapshot of it is written.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::entries::{Entries, Nodes};
use super::group::{Consumer, Group, Pending};
use super::id::StreamId;
use super::node::Node;
use crate::memory::good_size;
use crate::snapshot::{FrozenMap, Held, Shown, each_behind};

/// What is kept of nodes.
pub(super) struct NodesThen {
    nodes: FrozenMap<StreamId, Node>,
    held: Held,
}

impl NodesThen {
    pub(super) fn new(nodes: &Nodes, held: Held) -> NodesThen {
        NodesThen { nodes: FrozenMap::new(nodes), held }
    }

    pub(super) fn nodes(&self) -> &FrozenMap<StreamId, Node> {
        &self.nodes
    }

    /// Keeps what there was under an ID, which is due.
    pub(super) fn keep(&mut self, first: StreamId, node: Option<Node>) {
        self.held.more(node.as_ref().map_or(0, weight));
        self.nodes.keep(first, node);
    }

    /// Says that all up to a node was shown.
    pub(super) fn pass(&mut self, first: StreamId) {
        let held = &mut self.held;
        self.nodes.pass(&first, |node| held.less(weight(node)));
    }
}

/// Bytes that a node takes while it is kept.
fn weight(node: &Node) -> usize {
    size_of::<(StreamId, Node)>() + good_size(node.bytes())
}

impl Entries {
    /// Keeps the last node as it is, and that there is none under an ID that is about to be added.
    #[cold]
    pub(super) fn keep_before_append(&mut self, id: StreamId) {
        let Some(then) = &mut *self.then else { return };
        if let Some((first, node)) = self.nodes.last_key_value().filter(|(first, _)| then.nodes.is_due(*first)) {
            then.keep(*first, Some(node.clone()));
        }
        if then.nodes.is_due(&id) {
            then.keep(id, None);
        }
    }

    /// Removes a node.
    pub(super) fn remove_node(&mut self, first: StreamId) {
        let node = self.nodes.remove(&first);
        if let Some(then) = &mut *self.then
            && then.nodes.is_due(&first)
        {
            then.keep(first, node);
        }
    }

    /// As [`Node::delete`].
    pub(super) fn delete_in(&mut self, first: StreamId, which: impl FnMut(StreamId) -> Option<bool>) -> usize {
        let Some(node) = self.nodes.get_mut(&first) else { return 0 };
        let was = self.then.as_ref().filter(|then| then.nodes.is_due(&first)).map(|_| node.clone());
        let gone = node.delete(first, which);
        if let Some(then) = &mut *self.then
            && was.is_some()
            && gone > 0
        {
            then.keep(first, was);
        }
        gone
    }
}

/// What a group has beside what is pending and its consumers.
#[derive(Clone, Copy)]
pub(crate) struct GroupHead {
    pub(crate) last_id: StreamId,
    pub(crate) entries_read: Option<i64>,
    pub(crate) pending: usize,
    pub(crate) consumers: usize,
}

/// What a consumer has beside its name and the IDs of its pending entries.
#[derive(Clone, Copy)]
pub(crate) struct ConsumerHead {
    pub(crate) seen_ms: i64,
    pub(crate) pending: usize,
}

impl ConsumerHead {
    fn of(consumer: &Consumer) -> ConsumerHead {
        ConsumerHead { seen_ms: consumer.seen_ms, pending: consumer.pending().len() }
    }
}

/// What was pending, and the name of the consumer that had it.
type PendingThen = (Pending, Option<Arc<[u8]>>);

/// What is kept of a group.
pub(super) struct GroupThen {
    head: GroupHead,
    pending: FrozenMap<StreamId, PendingThen>,
    /// The IDs of what is kept of it, by consumers.
    owned: BTreeSet<(Arc<[u8]>, StreamId)>,
    consumers: FrozenMap<Arc<[u8]>, ConsumerHead>,
    held: Held,
}

/// Bytes that it takes about to keep a pending entry, or a consumer.
const KEPT: usize = 128;

impl Group {
    fn head(&self) -> GroupHead {
        GroupHead {
            last_id: self.last_id,
            entries_read: self.entries_read,
            pending: self.pending_len(),
            consumers: self.consumers().len(),
        }
    }

    /// Begins to keep what there is.
    pub(super) fn freeze(&mut self, held: Held) {
        let (pending, names) = self.maps();
        let (pending, consumers) = (FrozenMap::new(pending), FrozenMap::new(names));
        let then = GroupThen { head: self.head(), pending, owned: BTreeSet::new(), consumers, held };
        self.then.put(then);
    }

    /// Keeps what is known about an ID that is about to become pending, to change, or not to be pending any more.
    #[cold]
    pub(super) fn keep_pending(&mut self, id: StreamId) {
        if !self.then.as_ref().is_some_and(|then| then.pending.is_due(&id)) {
            return;
        }
        let old = self.pending(id);
        let old = old.map(|old| (old, self.owner(old).map(Consumer::shared_name)));
        let Some(then) = &mut *self.then else { return };
        if let Some((_, Some(owner))) = &old {
            then.owned.insert((Arc::clone(owner), id));
        }
        then.held.more(KEPT);
        then.pending.keep(id, old);
    }

    /// Keeps what is known about a consumer that is about to be added, to change, or to go.
    #[cold]
    pub(super) fn keep_consumer(&mut self, name: &Arc<[u8]>) {
        let now = self.consumer(name).map(ConsumerHead::of);
        if let Some(then) = &mut *self.then
            && then.consumers.is_due(name)
        {
            then.held.more(KEPT);
            then.consumers.keep(Arc::clone(name), now);
        }
    }

    /// Keeps a consumer that is about to go, and all that it has pending.
    #[cold]
    pub(super) fn keep_all_of(&mut self, name: &[u8]) {
        let Some(consumer) = self.consumer(name) else { return };
        let (name, ids) = (consumer.shared_name(), consumer.pending().clone());
        self.keep_consumer(&name);
        ids.into_iter().for_each(|id| self.keep_pending(id));
    }

    /// The group as it is now.
    pub(super) fn now(&self) -> GroupAt<'_> {
        GroupAt { group: self, then: None }
    }

    /// The group as it was when it was frozen, if it is.
    pub(super) fn then(&self) -> GroupAt<'_> {
        GroupAt { group: self, then: self.then.as_deref() }
    }
}

/// A group at a moment.
#[derive(Clone, Copy)]
pub(super) struct GroupAt<'a> {
    group: &'a Group,
    /// If that is not the present.
    then: Option<&'a GroupThen>,
}

impl<'a> GroupAt<'a> {
    pub(super) fn head(self) -> GroupHead {
        self.then.map_or_else(|| self.group.head(), |then| then.head)
    }

    /// Shows what is pending behind an ID, and the names of the consumers, as long as `each` wants more.
    pub(super) fn each_pending(
        self,
        behind: Option<StreamId>,
        mut each: impl FnMut(StreamId, Pending, Option<&'a [u8]>) -> bool,
    ) {
        let (pending, _) = self.group.maps();
        each_behind(self.then.map(|then| &then.pending), behind.as_ref(), pending, |id, shown| match shown {
            Shown::Live(pending) => each(*id, *pending, self.group.owner(*pending).map(Consumer::name)),
            Shown::Kept((pending, owner)) => each(*id, *pending, owner.as_deref()),
        });
    }

    /// Shows the consumers behind a name, as long as `each` wants more.
    pub(super) fn each_consumer(
        self,
        behind: Option<&[u8]>,
        mut each: impl FnMut(&'a Arc<[u8]>, ConsumerHead) -> bool,
    ) {
        let (_, names) = self.group.maps();
        each_behind(self.then.map(|then| &then.consumers), behind, names, |name, shown| match shown {
            Shown::Live(at) => {
                self.group.consumer_at(*at).is_none_or(|consumer| each(name, ConsumerHead::of(consumer)))
            }
            Shown::Kept(head) => each(name, *head),
        });
    }

    /// The first consumer.
    pub(super) fn first_consumer(self) -> Option<&'a [u8]> {
        let mut first = None;
        self.each_consumer(None, |name, _| {
            first = Some(&**name);
            false
        });
        first
    }

    /// Shows the IDs behind another one of what a consumer has pending, as long as `each` wants more.
    pub(super) fn each_owned(self, name: &Arc<[u8]>, behind: StreamId, mut each: impl FnMut(StreamId) -> bool) {
        let Some(from) = behind.next() else { return };
        let live = self.group.consumer(name).into_iter().flat_map(|consumer| consumer.pending().range(from..));
        let unchanged = |id: &&StreamId| self.then.is_none_or(|then| !then.pending.has_changed(*id));
        let mut live = live.copied().filter(|id| unchanged(&id)).peekable();
        let kept = self.then.into_iter().flat_map(|then| {
            then.owned.range((Arc::clone(name), from)..=(Arc::clone(name), StreamId::MAX)).map(|(_, id)| *id)
        });
        let mut kept = kept.peekable();
        loop {
            let next = match (live.peek(), kept.peek()) {
                (Some(one), Some(other)) if one < other => live.next(),
                (_, Some(_)) => kept.next(),
                _ => live.next(),
            };
            if !next.is_some_and(&mut each) {
                return;
            }
        }
    }
}
