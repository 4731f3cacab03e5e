//! A node of a long list.

use super::{End, NodeLimit};
use crate::listpack::{Item, Iter, ListPack, ListPackBuf};
use crate::memory::good_size;

/// Several elements in a listpack, or one that is too long to lie beside others.
#[derive(Clone)]
pub(super) enum Node {
    Packed(Packed),
    Plain(Box<[u8]>),
}

/// A listpack, and the number of its elements beside it: finding an index must not touch the nodes it passes.
#[derive(Clone)]
pub(super) struct Packed {
    pack: ListPackBuf,
    len: u32,
}

impl Packed {
    fn new(pack: ListPackBuf) -> Packed {
        let len = pack.as_ref().len() as u32;
        Packed { pack, len }
    }

    fn edit<R>(&mut self, edit: impl FnOnce(&mut ListPackBuf) -> R) -> R {
        let result = edit(&mut self.pack);
        self.len = self.pack.as_ref().len() as u32;
        result
    }
}

impl Node {
    /// A node of a single element.
    pub(super) fn of(text: &[u8], limit: NodeLimit) -> Node {
        if limit.is_long(text.len()) {
            return Node::Plain(text.into());
        }
        let mut pack = ListPackBuf::new();
        pack.push_back(Item::from_text(text));
        Node::packed(pack)
    }

    pub(super) fn packed(pack: ListPackBuf) -> Node {
        Node::Packed(Packed::new(pack))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Node::Packed(packed) => packed.len as usize,
            Node::Plain(_) => 1,
        }
    }

    /// Bytes of the listpack, or of the element.
    pub(super) fn bytes(&self) -> usize {
        self.raw().1.len()
    }

    /// Whether it is an element alone, and the bytes of that or of the listpack.
    pub(super) fn raw(&self) -> (bool, &[u8]) {
        match self {
            Node::Packed(packed) => (false, packed.pack.as_ref().as_bytes()),
            Node::Plain(text) => (true, text),
        }
    }

    pub(super) fn pack(&self) -> Option<ListPack<'_>> {
        if let Node::Packed(packed) = self { Some(packed.pack.as_ref()) } else { None }
    }

    pub(super) fn get(&self, inside: usize) -> Option<Item<'_>> {
        self.iter_from(inside).next()
    }

    pub(super) fn iter(&self) -> NodeIter<'_> {
        self.iter_from(0)
    }

    pub(super) fn iter_from(&self, inside: usize) -> NodeIter<'_> {
        match self {
            Node::Packed(packed) => {
                let pack = packed.pack.as_ref();
                NodeIter::Packed(pack.iter_from(pack.nth(inside).unwrap_or(pack.end())))
            }
            Node::Plain(text) => NodeIter::Plain((inside == 0).then(|| Item::from_text(text))),
        }
    }

    /// Whether one more element of this text fits in.
    pub(super) fn has_room(&self, text_len: usize, limit: NodeLimit) -> bool {
        /// What an element takes beside its text, about.
        const OVERHEAD: usize = 8;
        match self {
            Node::Packed(_) if limit.is_long(text_len) => false,
            Node::Packed(_) => !limit.exceeded(self.bytes() + text_len + OVERHEAD, self.len() + 1),
            Node::Plain(_) => false,
        }
    }

    /// Puts an element at an end of a node that has room.
    pub(super) fn push(&mut self, end: End, text: &[u8]) {
        if let Node::Packed(packed) = self {
            packed.edit(|pack| match end {
                End::Head => pack.push_front(Item::from_text(text)),
                End::Tail => pack.push_back(Item::from_text(text)),
            });
        }
    }

    /// Inserts an element into a node that has room, before the one at an index or at the end.
    pub(super) fn insert(&mut self, inside: usize, text: &[u8]) {
        if let Node::Packed(packed) = self {
            packed.edit(|pack| {
                let at = pack.as_ref().nth(inside).unwrap_or(pack.as_ref().end());
                pack.insert(at, &[Item::from_text(text)]);
            });
        }
    }

    /// Puts another text, which is not long, in the place of an element of a listpack.
    pub(super) fn replace(&mut self, inside: usize, text: &[u8]) {
        if let Node::Packed(packed) = self {
            packed.edit(|pack| {
                if let Some(at) = pack.as_ref().nth(inside) {
                    pack.replace(at, Item::from_text(text));
                }
            });
        }
    }

    /// Removes so many elements from an index on, but not all.
    pub(super) fn remove(&mut self, inside: usize, count: usize) {
        if let Node::Packed(packed) = self {
            packed.edit(|pack| {
                if let Some(at) = pack.as_ref().nth(inside) {
                    pack.remove(at, count);
                }
                pack.release_half();
            });
        }
    }

    /// Removes up to `most` elements of a listpack that are equal to an item, beginning at an end. Returns how many. It
    /// may be left empty.
    pub(super) fn remove_equal(&mut self, item: Item<'_>, most: usize, from: End) -> usize {
        let Node::Packed(packed) = self else { return 0 };
        packed.edit(|pack| {
            let removed = pack.remove_equal(item, most, from == End::Tail);
            pack.release_half();
            removed
        })
    }

    /// Splits off the elements from an index on.
    pub(super) fn split_off(&mut self, inside: usize) -> Option<Node> {
        let Node::Packed(packed) = self else { return None };
        packed.edit(|pack| {
            let tail = pack.split_off(pack.as_ref().nth(inside)?);
            pack.shrink();
            Some(Node::packed(tail))
        })
    }

    /// Whether this node and its neighbour fit into one.
    pub(super) fn fits_with(&self, other: &Node, limit: NodeLimit) -> bool {
        /// Of the two headers and ends one is not needed.
        const ONCE: usize = 7;
        let (Node::Packed(_), Node::Packed(_)) = (self, other) else { return false };
        !limit.exceeded(self.bytes() + other.bytes() - ONCE, self.len() + other.len())
    }

    pub(super) fn append(&mut self, other: &Node) {
        if let (Node::Packed(packed), Some(tail)) = (self, other.pack()) {
            packed.edit(|pack| pack.append(tail));
        }
    }

    /// Gives back what is allocated ahead.
    pub(super) fn shrink(&mut self) {
        if let Node::Packed(packed) = self {
            packed.pack.shrink();
        }
    }

    pub(super) fn into_pack(self) -> ListPackBuf {
        match self {
            Node::Packed(packed) => packed.pack,
            Node::Plain(text) => {
                let mut pack = ListPackBuf::new();
                pack.push_back(Item::from_text(&text));
                pack
            }
        }
    }

    /// Bytes that are allocated for it, beside itself.
    pub(super) fn memory(&self) -> usize {
        good_size(match self {
            Node::Packed(packed) => packed.pack.capacity(),
            Node::Plain(text) => text.len(),
        })
    }
}

/// The elements of a node, from both ends.
#[derive(Clone)]
pub(super) enum NodeIter<'a> {
    Packed(Iter<'a>),
    Plain(Option<Item<'a>>),
}

impl<'a> Iterator for NodeIter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            NodeIter::Packed(iter) => iter.next(),
            NodeIter::Plain(item) => item.take(),
        }
    }
}

impl DoubleEndedIterator for NodeIter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            NodeIter::Packed(iter) => iter.next_back(),
            NodeIter::Plain(item) => item.take(),
        }
    }
}
