//! A long list: a sequence of nodes, none of them empty.
//!
//! Elements come to lie in the same nodes as in Redis, so that a list has the same encoding there and here whatever
//! happened to it: nodes that have become small are merged only after an insertion that split one. Nodes are not
//! compressed, whatever `list-compress-depth` says.

use std::sync::Arc;

use super::node::Node;
use super::nodes::Nodes;
use super::{End, NodeLimit};
use crate::listpack::{Item, ListPack, ListPackBuf};
use crate::memory::good_size;
use crate::snapshot::{MANY_NODES, Piece, Piecemeal, finish};

/// See the module's description.
#[derive(Clone)]
pub struct QuickList {
    nodes: Nodes,
    /// Elements of all nodes.
    len: usize,
    /// As it was configured when the list became long.
    limit: NodeLimit,
}

impl QuickList {
    pub(super) fn new(pack: ListPackBuf, limit: NodeLimit) -> QuickList {
        let mut quick = QuickList { nodes: Nodes::default(), len: pack.as_ref().len(), limit };
        if quick.len > 0 {
            quick.nodes.push_back(Node::packed(pack));
        }
        quick
    }

    /// One without nodes, which is to get some.
    pub(crate) fn empty(limit: NodeLimit) -> QuickList {
        QuickList::new(ListPackBuf::new(), limit)
    }

    /// Puts a listpack, which is not empty, behind all other nodes.
    pub(crate) fn push_pack(&mut self, pack: ListPackBuf) {
        self.len += pack.as_ref().len();
        self.nodes.push_back(Node::packed(pack));
    }

    /// Puts an element that stays alone in its node behind all other nodes.
    pub(crate) fn push_plain(&mut self, text: &[u8]) {
        self.len += 1;
        self.nodes.push_back(Node::Plain(text.into()));
    }

    /// The nodes: of each, whether it is a single element, and the bytes of that or of the listpack.
    pub(super) fn node_bytes(&self) -> impl Iterator<Item = (bool, &[u8])> {
        self.nodes.iter().map(Node::raw)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The number of nodes.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Bytes of all nodes.
    pub fn bytes(&self) -> usize {
        self.nodes.iter().map(Node::bytes).sum()
    }

    /// The limit of its nodes.
    pub fn limit(&self) -> NodeLimit {
        self.limit
    }

    /// The listpack that holds all elements, if there is one.
    pub(super) fn only_pack(&self) -> Option<ListPack<'_>> {
        if self.nodes.len() == 1 { self.nodes.front().and_then(Node::pack) } else { None }
    }

    pub(super) fn take_only_pack(&mut self) -> ListPackBuf {
        self.len = 0;
        self.nodes.take(0).map(Node::into_pack).unwrap_or_default()
    }

    /// The node of an element and the element's index there, reached from the nearer end.
    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.len {
            return None;
        }
        if index <= self.len / 2 {
            let mut before = 0;
            for (number, node) in self.nodes.iter().enumerate() {
                if index < before + node.len() {
                    return Some((number, index - before));
                }
                before += node.len();
            }
            return None;
        }
        let mut behind = self.len;
        for (number, node) in self.nodes.iter().enumerate().rev() {
            behind -= node.len();
            if index >= behind {
                return Some((number, index - behind));
            }
        }
        None
    }

    pub(super) fn get(&self, index: usize) -> Option<Item<'_>> {
        let (number, inside) = self.locate(index)?;
        self.nodes[number].get(inside)
    }

    pub(super) fn iter_from(&self, index: usize) -> impl Iterator<Item = Item<'_>> {
        let (number, inside) = self.locate(index).unwrap_or((self.nodes.len(), 0));
        let first = self.nodes.get(number).into_iter().flat_map(move |node| node.iter_from(inside));
        first.chain(self.nodes.iter().skip(number + 1).flat_map(Node::iter))
    }

    pub(super) fn iter_back(&self) -> impl Iterator<Item = Item<'_>> {
        self.nodes.iter().rev().flat_map(|node| node.iter().rev())
    }

    pub(crate) fn push(&mut self, end: End, text: &[u8]) {
        self.len += 1;
        let number = if end == End::Head { 0 } else { self.nodes.len().saturating_sub(1) };
        let limit = self.limit;
        if let Some(node) = self.nodes.edit_if(number, |node| node.has_room(text.len(), limit)) {
            return node.push(end, text);
        }
        // It becomes an inner one.
        self.nodes.shrink(number);
        let node = Node::of(text, self.limit);
        match end {
            End::Head => self.nodes.push_front(node),
            End::Tail => self.nodes.push_back(node),
        }
    }

    /// Inserts an element beside the one at an index. Tells whether there is one.
    pub(super) fn insert(&mut self, beside: usize, after: bool, text: &[u8]) -> bool {
        let Some((number, inside)) = self.locate(beside) else { return false };
        self.len += 1;
        let limit = self.limit;
        let place = inside + usize::from(after);
        if let Some(node) = self.nodes.edit_if(number, |node| node.has_room(text.len(), limit)) {
            node.insert(place, text);
            return true;
        }
        let gap = number + usize::from(after);
        let at_edge = place == 0 || place == self.nodes[number].len();
        if self.limit.is_long(text.len()) {
            let gap = if at_edge { gap } else { self.split(number, place) };
            self.nodes.insert(gap, Node::of(text, self.limit));
        } else if at_edge {
            let neighbour = if after { Some(number + 1) } else { number.checked_sub(1) };
            let neighbour =
                neighbour.and_then(|number| self.nodes.edit_if(number, |node| node.has_room(text.len(), limit)));
            match neighbour {
                Some(node) => node.push(if after { End::Head } else { End::Tail }, text),
                None => self.nodes.insert(gap, Node::of(text, self.limit)),
            }
        } else {
            let behind = self.split(number, place);
            if after {
                self.nodes.edit(behind).push(End::Head, text);
                self.merge_around(number);
            } else {
                self.nodes.edit(number).push(End::Tail, text);
                self.merge_around(behind);
            }
        }
        true
    }

    /// Splits a node before an index inside. Returns the number of the node that begins there.
    fn split(&mut self, number: usize, inside: usize) -> usize {
        if let Some(tail) = self.nodes.edit(number).split_off(inside) {
            self.nodes.insert(number + 1, tail);
        }
        number + 1
    }

    /// Merges the neighbours of a node with theirs, and the node with its neighbours, where two fit into one.
    fn merge_around(&mut self, mut center: usize) {
        if center >= 2 && self.merge(center - 2) {
            center -= 1;
        }
        self.merge(center + 1);
        if center >= 1 && self.merge(center - 1) {
            center -= 1;
        }
        self.merge(center);
    }

    /// Merges a node with the next one, if the two fit into one.
    fn merge(&mut self, number: usize) -> bool {
        let (Some(node), Some(next)) = (self.nodes.get(number), self.nodes.get(number + 1)) else { return false };
        if !node.fits_with(next, self.limit) {
            return false;
        }
        if let Some(next) = self.nodes.take(number + 1) {
            let node = self.nodes.edit(number);
            node.append(&next);
            node.shrink();
        }
        true
    }

    /// Replaces the element at an index. Tells whether there is one.
    pub(super) fn set(&mut self, index: usize, text: &[u8]) -> bool {
        let Some((number, inside)) = self.locate(index) else { return false };
        match (&self.nodes[number], self.limit.is_long(text.len())) {
            (Node::Packed(_), false) => self.nodes.edit(number).replace(inside, text),
            (Node::Plain(_), true) => self.nodes.replace(number, Node::of(text, self.limit)),
            (Node::Plain(_), false) => {
                self.insert(index, true, text);
                self.nodes.remove(number);
                self.len -= 1;
            }
            (Node::Packed(_), true) => {
                let place = inside + 1;
                if place < self.nodes[number].len() {
                    self.split(number, place);
                }
                self.nodes.insert(number + 1, Node::of(text, self.limit));
                if inside == 0 {
                    self.nodes.remove(number);
                } else {
                    self.nodes.edit(number).remove(inside, 1);
                    self.merge_around(number + 1);
                }
            }
        }
        true
    }

    /// Removes so many elements from an index on.
    pub(super) fn remove_range(&mut self, index: usize, count: usize) {
        let Some((mut number, inside)) = self.locate(index) else { return };
        let mut left = count.min(self.len - index);
        self.len -= left;
        if inside > 0 {
            let here = left.min(self.nodes[number].len() - inside);
            self.nodes.edit(number).remove(inside, here);
            left -= here;
            number += 1;
        }
        let mut last = number;
        while let Some(node) = self.nodes.get(last).filter(|node| node.len() <= left) {
            left -= node.len();
            last += 1;
        }
        self.nodes.remove_range(number..last);
        if left > 0 {
            self.nodes.edit(number).remove(0, left);
        }
    }

    /// Removes up to `most` elements that are equal to an item, beginning at an end. Returns how many.
    pub(super) fn remove_equal(&mut self, item: Item<'_>, most: usize, from: End) -> usize {
        let (mut left, last) = (most, self.nodes.len());
        for step in 0..last {
            if left == 0 {
                break;
            }
            let number = if from == End::Head { step } else { last - 1 - step };
            left -= self.remove_equal_in(number, item, left, from);
        }
        let removed = most - left;
        if removed > 0 {
            self.len -= removed;
            self.nodes.remove_empty();
        }
        removed
    }

    /// Removes such elements from a node, which may be left empty.
    fn remove_equal_in(&mut self, number: usize, item: Item<'_>, most: usize, from: End) -> usize {
        let written = self.nodes.piece().is_some();
        match &self.nodes[number] {
            // Nothing is handed over that does not change.
            Node::Packed(_) => {
                let wanted = |node: &Node| !written || node.iter().any(|other| other == item);
                self.nodes.edit_if(number, wanted).map_or(0, |node| node.remove_equal(item, most, from))
            }
            Node::Plain(text) if Item::from_text(text) == item => {
                self.nodes.replace(number, Node::packed(ListPackBuf::new()));
                1
            }
            Node::Plain(_) => 0,
        }
    }

    pub(super) fn memory(&self) -> usize {
        good_size(size_of::<QuickList>()) + self.nodes.memory()
    }
}

impl Piecemeal for QuickList {
    fn begin(&mut self, piece: Arc<Piece>) {
        self.nodes.begin(piece);
    }

    fn piece(&self) -> Option<&Arc<Piece>> {
        self.nodes.piece()
    }

    fn end(&mut self) {
        self.nodes.end();
    }

    fn elements(&self) -> usize {
        self.nodes.len()
    }

    fn is_big(&self) -> bool {
        self.nodes.len() >= MANY_NODES
    }

    fn step(&mut self, to: &mut Vec<u8>) -> bool {
        self.nodes.step(to)
    }
}

impl Drop for QuickList {
    fn drop(&mut self) {
        finish(self);
    }
}
