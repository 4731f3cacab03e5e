//! The nodes of a long list, and what a snapshot of it that is being written still needs of them.
//!
//! Whatever changes nodes does so here, and here nodes are handed over before.

use std::collections::VecDeque;
use std::ops::{Deref, Range};
use std::sync::Arc;

use super::node::Node;
use super::stretches::Stretches;
use crate::memory::good_size;
use crate::snapshot::{Aside, Element, Held, Piece};

/// A list's nodes. To be read they are a deque.
#[derive(Clone, Default)]
pub(super) struct Nodes {
    nodes: VecDeque<Node>,
    /// There while a snapshot of the list is written in pieces.
    parts: Aside<Parts>,
}

/// How far the list is written.
struct Parts {
    piece: Arc<Piece>,
    stretches: Stretches,
    held: Held,
}

impl Deref for Nodes {
    type Target = VecDeque<Node>;

    #[inline]
    fn deref(&self) -> &VecDeque<Node> {
        &self.nodes
    }
}

impl Nodes {
    /// A node to be changed, if there is one and it is wanted.
    #[inline]
    pub(super) fn edit_if(&mut self, number: usize, wanted: impl FnOnce(&Node) -> bool) -> Option<&mut Node> {
        if self.parts.is_some() {
            return self.nodes.get(number).is_some_and(wanted).then(|| self.edit(number));
        }
        self.nodes.get_mut(number).filter(|node| wanted(node))
    }

    /// A node to be changed.
    #[inline]
    pub(super) fn edit(&mut self, number: usize) -> &mut Node {
        if let Some(parts) = &mut *self.parts {
            parts.before_change(number, &self.nodes[number]);
        }
        &mut self.nodes[number]
    }

    /// Puts another node in the place of one.
    pub(super) fn replace(&mut self, number: usize, node: Node) {
        let old = std::mem::replace(&mut self.nodes[number], node);
        if let Some(parts) = &mut *self.parts
            && parts.stretches.is_due(number)
        {
            parts.held.more(weight(&old));
            parts.stretches.keep_changed(number, old);
        }
    }

    pub(super) fn insert(&mut self, number: usize, node: Node) {
        self.nodes.insert(number, node);
        if let Some(parts) = &mut *self.parts {
            parts.stretches.inserted(number);
        }
    }

    #[inline]
    pub(super) fn push_front(&mut self, node: Node) {
        self.insert(0, node);
    }

    #[inline]
    pub(super) fn push_back(&mut self, node: Node) {
        self.insert(self.nodes.len(), node);
    }

    /// Removes a node.
    pub(super) fn remove(&mut self, number: usize) {
        self.remove_range(number..number + 1);
    }

    /// Removes nodes.
    pub(super) fn remove_range(&mut self, range: Range<usize>) {
        let removed = self.nodes.drain(range.clone());
        let Some(parts) = &mut *self.parts else { return };
        removed.for_each(|node| parts.after_removal(range.start, node));
    }

    /// Removes the nodes that have become empty.
    pub(super) fn remove_empty(&mut self) {
        let Nodes { nodes, parts } = self;
        let mut number = 0;
        nodes.retain(|node| {
            let stays = node.len() > 0;
            match &mut **parts {
                // It has changed, so it is not due any more.
                Some(parts) if !stays => parts.stretches.removed(number),
                _ => {}
            }
            number += usize::from(stays);
            stays
        });
    }

    /// Removes a node and returns it.
    pub(super) fn take(&mut self, number: usize) -> Option<Node> {
        let node = self.nodes.remove(number)?;
        if let Some(parts) = &mut *self.parts {
            parts.after_removal(number, node.clone());
        }
        Some(node)
    }

    /// Gives back what a node has allocated ahead.
    pub(super) fn shrink(&mut self, number: usize) {
        if let Some(node) = self.nodes.get_mut(number) {
            node.shrink();
        }
    }

    pub(super) fn memory(&self) -> usize {
        let nodes: usize = self.nodes.iter().map(Node::memory).sum();
        good_size(self.nodes.capacity() * size_of::<Node>()) + nodes
    }

    /// Begins to be written in pieces.
    pub(super) fn begin(&mut self, piece: Arc<Piece>) {
        let (stretches, held) = (Stretches::new(self.nodes.len()), piece.held());
        self.parts.put(Parts { piece, stretches, held });
    }

    pub(super) fn piece(&self) -> Option<&Arc<Piece>> {
        self.parts.as_ref().map(|parts| &parts.piece)
    }

    /// Is not written in pieces any more.
    pub(super) fn end(&mut self) {
        self.parts.clear();
    }

    /// Writes the next node as it was. Tells whether there was one.
    pub(super) fn step(&mut self, to: &mut Vec<u8>) -> bool {
        let Some(parts) = &mut *self.parts else { return false };
        let Parts { piece, stretches, held } = &mut **parts;
        let shown = stretches.next(&self.nodes, |node| {
            let (plain, bytes) = node.raw();
            piece.write(to, Element::Node { plain, bytes });
        });
        if let Some(Some(kept)) = &shown {
            held.less(weight(kept));
        }
        shown.is_some()
    }
}

impl Parts {
    #[cold]
    fn before_change(&mut self, number: usize, node: &Node) {
        if self.stretches.is_due(number) {
            self.held.more(weight(node));
            self.stretches.keep_changed(number, node.clone());
        }
    }

    fn after_removal(&mut self, number: usize, node: Node) {
        if self.stretches.is_due(number) {
            self.held.more(weight(&node));
            self.stretches.keep_removed(number, node);
        } else {
            self.stretches.removed(number);
        }
    }
}

/// Bytes that a node takes while it is kept. Its copy may be smaller than it is: what it has allocated ahead does not
/// count.
fn weight(node: &Node) -> usize {
    size_of::<Node>() + good_size(node.bytes())
}
