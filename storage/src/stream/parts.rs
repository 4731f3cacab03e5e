//! A stream part by part, as it is written: all at once, or while it changes.

use std::sync::Arc;

use super::entries::Entries;
use super::group::{Group, Pending};
use super::id::StreamId;
use super::node::{Node, NodeRef};
use super::then::{ConsumerHead, GroupAt, GroupHead, NodesThen};
use super::{Body, Groups, Stream};
use crate::snapshot::{Element, FrozenMap, Held, MANY_NODES, Piece, Piecemeal, Shown, each_behind, finish};
use crate::value::Collection;

/// So many pending entries are shown in one step.
const AT_ONCE: usize = 256;

/// What a stream consists of, in the order in which it is written.
#[derive(Clone, Copy)]
pub(crate) enum StreamPart<'a> {
    /// Entries that follow one another.
    Node(NodeRef<'a>),
    /// What stands behind the nodes.
    History(History),
    /// A group and its name.
    Group(&'a [u8], GroupHead),
    /// An entry that is pending in the group of a name.
    Pending { group: &'a [u8], id: StreamId, pending: Pending, owner: &'a [u8] },
    /// How many consumers the group has.
    Consumers(usize),
    /// A consumer of the group of a name, and its own name.
    Consumer { group: &'a [u8], name: &'a [u8], head: ConsumerHead },
    /// The ID of an entry that is pending for the consumer.
    Owned(StreamId),
}

/// What is known about all entries, and how many groups there are.
#[derive(Clone, Copy)]
pub(crate) struct History {
    pub(crate) len: usize,
    pub(crate) last_id: StreamId,
    pub(crate) first_id: StreamId,
    pub(crate) max_deleted_id: StreamId,
    pub(crate) added: u64,
    pub(crate) groups: usize,
}

impl History {
    fn of(entries: &Entries, groups: &Groups) -> History {
        History {
            len: entries.len,
            last_id: entries.last_id,
            first_id: entries.first_id,
            max_deleted_id: entries.max_deleted_id,
            added: entries.added,
            groups: groups.len(),
        }
    }
}

/// What is kept of a stream while it is written in pieces, beside what its nodes and groups keep themselves.
pub(super) struct Parts {
    piece: Arc<Piece>,
    walk: Walk,
    history: History,
    /// Groups that were removed, with what they keep, and which ones are new.
    groups: FrozenMap<Box<[u8]>, Group>,
    held: Held,
}

/// Where the writing of a stream stands.
enum Walk {
    /// Behind the node of an ID.
    Nodes(Option<StreamId>),
    /// Behind the group of a name.
    Groups(Option<Box<[u8]>>),
    /// Behind a pending entry of a group. What has no consumer was noted.
    Pending {
        group: Box<[u8]>,
        behind: Option<StreamId>,
        released: Vec<StreamId>,
    },
    /// Behind a consumer of a group, or before the first, who gets what was released.
    Consumers {
        group: Box<[u8]>,
        behind: Option<Arc<[u8]>>,
        released: Vec<StreamId>,
    },
    /// Behind an entry that is pending for a consumer of a group.
    Owned {
        group: Box<[u8]>,
        consumer: Arc<[u8]>,
        behind: StreamId,
    },
    End,
}

/// A stream at a moment.
struct At<'a> {
    entries: &'a Entries,
    groups: &'a Groups,
    /// If that is not the present.
    then: Option<&'a FrozenMap<Box<[u8]>, Group>>,
}

impl<'a> At<'a> {
    fn frozen_nodes(&self) -> Option<&'a FrozenMap<StreamId, Node>> {
        self.then.and(self.entries.then.as_ref()).map(|then| then.nodes())
    }

    fn group(&self, name: &[u8]) -> Option<GroupAt<'a>> {
        match self.then {
            None => self.groups.get(name).map(Group::now),
            Some(then) => then.kept(name).or_else(|| self.groups.get(name)).map(Group::then),
        }
    }

    /// The name of the group behind another one.
    fn next_group(&self, behind: Option<&[u8]>) -> Option<&'a [u8]> {
        let mut next = None;
        each_behind(self.then, behind, self.groups, |name, _| {
            next = Some(&**name);
            false
        });
        next
    }

    /// Shows the next few parts. Returns where the walk stands then.
    fn step(&self, walk: Walk, history: History, show: &mut impl FnMut(StreamPart<'_>)) -> Walk {
        match walk {
            Walk::Nodes(behind) => {
                let mut last = None;
                each_behind(self.frozen_nodes(), behind.as_ref(), &self.entries.nodes, |first, shown| {
                    let (Shown::Live(node) | Shown::Kept(node)) = shown;
                    show(StreamPart::Node(node.as_ref(*first)));
                    last = Some(*first);
                    false
                });
                if last.is_some() {
                    return Walk::Nodes(last);
                }
                show(StreamPart::History(history));
                Walk::Groups(None)
            }
            Walk::Groups(behind) => {
                let Some(name) = self.next_group(behind.as_deref()) else { return Walk::End };
                if let Some(group) = self.group(name) {
                    show(StreamPart::Group(name, group.head()));
                }
                Walk::Pending { group: name.into(), behind: None, released: Vec::new() }
            }
            Walk::Pending { group: name, behind, mut released } => {
                let Some(group) = self.group(&name) else { return Walk::Groups(Some(name)) };
                let (mut last, mut count) = (behind, 0);
                group.each_pending(behind, |id, pending, owner| {
                    // The format knows no entry without a consumer, so the first one gets it; that it was never
                    // delivered to him lets anybody claim it at once.
                    if owner.is_none() {
                        released.push(id);
                    }
                    let owner = owner.or_else(|| group.first_consumer()).unwrap_or_default();
                    show(StreamPart::Pending { group: &name, id, pending, owner });
                    (last, count) = (Some(id), count + 1);
                    count < AT_ONCE
                });
                if count == AT_ONCE {
                    return Walk::Pending { group: name, behind: last, released };
                }
                self.begin_consumers(name, group.head(), released, show)
            }
            Walk::Consumers { group: name, behind, released } => {
                let mut next = None;
                if let Some(group) = self.group(&name) {
                    group.each_consumer(behind.as_deref(), |name, head| {
                        next = Some((Arc::clone(name), head));
                        false
                    });
                }
                let Some((consumer, head)) = next else { return Walk::Groups(Some(name)) };
                let head = ConsumerHead { pending: head.pending + released.len(), ..head };
                show(StreamPart::Consumer { group: &name, name: &consumer, head });
                released.into_iter().for_each(|id| show(StreamPart::Owned(id)));
                Walk::Owned { group: name, consumer, behind: StreamId::MIN }
            }
            Walk::Owned { group: name, consumer, mut behind } => {
                let mut count = 0;
                if let Some(group) = self.group(&name) {
                    group.each_owned(&consumer, behind, |id| {
                        show(StreamPart::Owned(id));
                        (behind, count) = (id, count + 1);
                        count < AT_ONCE
                    });
                }
                match count {
                    AT_ONCE => Walk::Owned { group: name, consumer, behind },
                    _ => Walk::Consumers { group: name, behind: Some(consumer), released: Vec::new() },
                }
            }
            Walk::End => Walk::End,
        }
    }

    /// Shows how many consumers a group has, and one without a name if there is nobody to get what was released.
    fn begin_consumers(
        &self,
        group: Box<[u8]>,
        head: GroupHead,
        mut released: Vec<StreamId>,
        show: &mut impl FnMut(StreamPart<'_>),
    ) -> Walk {
        let nobody = head.consumers == 0 && !released.is_empty();
        show(StreamPart::Consumers(head.consumers + usize::from(nobody)));
        if nobody {
            let head = ConsumerHead { seen_ms: 0, pending: released.len() };
            show(StreamPart::Consumer { group: &group, name: b"", head });
            released.drain(..).for_each(|id| show(StreamPart::Owned(id)));
        }
        Walk::Consumers { group, behind: None, released }
    }
}

impl Stream {
    /// Shows all parts as they are now.
    pub(crate) fn each_part(&self, mut show: impl FnMut(StreamPart<'_>)) {
        let Body { entries, groups, .. } = &*self.0;
        let (at, history) = (At { entries, groups, then: None }, History::of(entries, groups));
        let mut walk = Walk::Nodes(None);
        while !matches!(walk, Walk::End) {
            walk = at.step(walk, history, &mut show);
        }
    }
}

impl Body {
    /// Has a group keep what it has, if that is about to change and still to be written.
    #[cold]
    pub(super) fn freeze_group(&mut self, name: &[u8]) {
        if let (Some(parts), Some(group)) = (&*self.parts, self.groups.get_mut(name)) {
            parts.freeze(name, group);
        }
    }

    /// The same for all groups.
    #[cold]
    pub(super) fn freeze_groups(&mut self) {
        let Some(parts) = &*self.parts else { return };
        self.groups.iter_mut().for_each(|(name, group)| parts.freeze(name, group));
    }

    /// Keeps a group that was removed, or that one which was added was not there.
    #[cold]
    pub(super) fn keep_group(&mut self, name: &[u8], removed: Option<Group>) {
        if let Some(parts) = &mut *self.parts
            && parts.groups.is_due(name)
        {
            parts.held.more(removed.as_ref().map_or(0, Group::memory));
            parts.groups.keep(name.into(), removed);
        }
    }
}

impl Parts {
    fn freeze(&self, name: &[u8], group: &mut Group) {
        if group.then.is_none() && self.groups.is_due(name) {
            group.freeze(self.piece.held());
        }
    }
}

impl Piecemeal for Stream {
    fn begin(&mut self, piece: Arc<Piece>) {
        let Body { entries, groups, parts } = &mut *self.0;
        let then = NodesThen::new(&entries.nodes, piece.held());
        entries.then.put(then);
        let (history, held) = (History::of(entries, groups), piece.held());
        parts.put(Parts { piece, walk: Walk::Nodes(None), history, groups: FrozenMap::new(groups), held });
    }

    fn piece(&self) -> Option<&Arc<Piece>> {
        self.0.parts.as_ref().map(|parts| &parts.piece)
    }

    fn end(&mut self) {
        let Body { entries, groups, parts } = &mut *self.0;
        // Where all was written, nobody keeps anything.
        if parts.as_ref().is_some_and(|parts| !matches!(parts.walk, Walk::End)) {
            entries.then.clear();
            groups.values_mut().for_each(|group| group.then.clear());
        }
        parts.clear();
    }

    fn elements(&self) -> usize {
        self.0.entries.nodes()
    }

    fn is_big(&self) -> bool {
        self.free_effort() >= MANY_NODES
    }

    fn step(&mut self, to: &mut Vec<u8>) -> bool {
        let Body { entries, groups, parts } = &mut *self.0;
        let Some(parts) = &mut **parts else { return false };
        let Parts { piece, walk, history, groups: then, held } = &mut **parts;
        let at = At { entries, groups, then: Some(then) };
        let from = std::mem::replace(walk, Walk::End);
        *walk = at.step(from, *history, &mut |part| piece.write(to, Element::Part(part)));
        match walk {
            Walk::Nodes(Some(first)) => {
                if let Some(nodes) = &mut *entries.then {
                    nodes.pass(*first);
                }
            }
            Walk::Groups(None) => entries.then.clear(),
            Walk::Groups(Some(name)) => {
                if let Some(group) = groups.get_mut(&**name) {
                    group.then.clear();
                }
                then.pass(name, |group| held.less(group.memory()));
            }
            _ => {}
        }
        !matches!(walk, Walk::End)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        finish(self);
    }
}
