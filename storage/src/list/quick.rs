//! A long list: a sequence of listpacks, none of them empty.

use std::collections::VecDeque;

use super::{End, NodeLimit};
use crate::listpack::{Item, ListPack, ListPackBuf};
use crate::memory::good_size;

/// See the module's description.
#[derive(Clone, Default)]
pub struct QuickList {
    nodes: VecDeque<ListPackBuf>,
    /// Elements of all nodes.
    len: usize,
}

impl QuickList {
    pub(super) fn from_pack(pack: ListPackBuf) -> QuickList {
        let len = pack.as_ref().len();
        let nodes = if len == 0 { VecDeque::new() } else { VecDeque::from([pack]) };
        QuickList { nodes, len }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The number of listpacks.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn only_node(&self) -> Option<ListPack<'_>> {
        if self.nodes.len() == 1 { self.nodes.front().map(ListPackBuf::as_ref) } else { None }
    }

    pub(super) fn take_only_node(&mut self) -> ListPackBuf {
        self.len = 0;
        self.nodes.pop_front().unwrap_or_default()
    }

    /// The node of an element and the element's index there, reached from the nearer end. For the length itself, the
    /// end of the last node.
    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        if index > self.len || self.len == 0 {
            return None;
        }
        if index <= self.len / 2 {
            let mut before = 0;
            for (number, node) in self.nodes.iter().enumerate() {
                let len = node.as_ref().len();
                if index < before + len {
                    return Some((number, index - before));
                }
                before += len;
            }
            return None;
        }
        let mut behind = self.len;
        for (number, node) in self.nodes.iter().enumerate().rev() {
            behind -= node.as_ref().len();
            if index >= behind {
                return Some((number, index - behind));
            }
        }
        None
    }

    pub(super) fn get(&self, index: usize) -> Option<Item<'_>> {
        let (node, inside) = self.locate(index)?;
        self.nodes[node].as_ref().get(inside)
    }

    pub(super) fn iter_from(&self, index: usize) -> impl Iterator<Item = Item<'_>> {
        let (node, inside) = self.locate(index).unwrap_or((self.nodes.len(), 0));
        let first = self.nodes.get(node).into_iter().flat_map(move |node| {
            let pack = node.as_ref();
            pack.iter_from(pack.nth(inside).unwrap_or(pack.end()))
        });
        let rest = self.nodes.iter().skip(node + 1);
        first.chain(rest.flat_map(|node| node.as_ref().iter()))
    }

    pub(super) fn iter_back(&self) -> impl Iterator<Item = Item<'_>> {
        self.nodes.iter().rev().flat_map(|node| node.as_ref().iter().rev())
    }

    pub(super) fn push(&mut self, end: End, text: &[u8], limit: NodeLimit) {
        let node = if end == End::Head { self.nodes.front_mut() } else { self.nodes.back_mut() };
        let item = Item::from_text(text);
        self.len += 1;
        if let Some(node) = node {
            if !is_full(node, text, limit) {
                return match end {
                    End::Head => node.push_front(item),
                    End::Tail => node.push_back(item),
                };
            }
            // Nothing is pushed there any more.
            node.shrink();
        }
        let mut node = ListPackBuf::new();
        node.push_back(item);
        match end {
            End::Head => self.nodes.push_front(node),
            End::Tail => self.nodes.push_back(node),
        }
    }

    pub(super) fn insert(&mut self, index: usize, text: &[u8], limit: NodeLimit) {
        if index == 0 {
            return self.push(End::Head, text, limit);
        }
        let Some((number, inside)) = self.locate(index).filter(|_| index < self.len) else {
            return self.push(End::Tail, text, limit);
        };
        if is_full(&self.nodes[number], text, limit) {
            self.split(number, inside);
            // Now it is a place between two nodes.
            let at = if inside > 0 { number + 1 } else { number };
            let mut node = ListPackBuf::new();
            node.push_back(Item::from_text(text));
            self.nodes.insert(at, node);
        } else {
            let node = &mut self.nodes[number];
            let at = node.as_ref().nth(inside).unwrap_or(node.as_ref().end());
            node.insert(at, &[Item::from_text(text)]);
        }
        self.len += 1;
    }

    /// Makes the element at an index the first of its node.
    fn split(&mut self, number: usize, inside: usize) {
        if inside == 0 {
            return;
        }
        let node = &mut self.nodes[number];
        if let Some(at) = node.as_ref().nth(inside) {
            let tail = node.split_off(at);
            node.shrink();
            self.nodes.insert(number + 1, tail);
        }
    }

    pub(super) fn set(&mut self, index: usize, text: &[u8], limit: NodeLimit) -> bool {
        let Some((number, inside)) = self.locate(index).filter(|_| index < self.len) else { return false };
        let node = &mut self.nodes[number];
        if is_full(node, text, limit) && node.as_ref().len() > 1 {
            self.remove_range(index, 1);
            self.insert(index, text, limit);
        } else if let Some(at) = node.as_ref().nth(inside) {
            node.replace(at, Item::from_text(text));
        }
        true
    }

    pub(super) fn remove_range(&mut self, index: usize, count: usize) {
        let Some((mut number, mut inside)) = self.locate(index) else { return };
        let mut left = count.min(self.len - index);
        self.len -= left;
        while left > 0 && number < self.nodes.len() {
            let node = &mut self.nodes[number];
            let len = node.as_ref().len();
            if inside == 0 && left >= len {
                left -= len;
                self.nodes.remove(number);
                continue;
            }
            let removed = match node.as_ref().nth(inside) {
                Some(at) => node.remove(at, left),
                None => 0,
            };
            // What was taken from a node's end is not grown into again.
            if node.capacity() > 2 * node.as_ref().as_bytes().len() {
                node.shrink();
            }
            left -= removed;
            (number, inside) = (number + 1, 0);
        }
    }

    pub(super) fn memory(&self) -> usize {
        let nodes: usize = self.nodes.iter().map(|node| good_size(node.capacity())).sum();
        good_size(size_of::<QuickList>()) + good_size(self.nodes.capacity() * size_of::<ListPackBuf>()) + nodes
    }
}

fn is_full(node: &ListPackBuf, text: &[u8], limit: NodeLimit) -> bool {
    let pack = node.as_ref();
    !pack.is_empty() && limit.exceeded(node.bytes_with(text.len()), pack.len() + 1)
}
