//! Lists.

mod limit;
mod node;
mod nodes;
mod quick;
mod stretches;

use crate::listpack::{Item, ListPack, ListPackBuf};
use crate::memory::good_size;
use crate::value::{Collection, Type};

pub use limit::NodeLimit;
pub use quick::QuickList;

/// A list: a listpack, or a sequence of them.
#[derive(Clone)]
pub enum List {
    Packed(ListPackBuf),
    Quick(Box<QuickList>),
}

/// A list to be read.
#[derive(Clone, Copy)]
pub enum ListRef<'a> {
    Packed(ListPack<'a>),
    Quick(&'a QuickList),
}

/// One end of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Head,
    Tail,
}

impl<'a> ListRef<'a> {
    pub fn encoding(self) -> &'static str {
        match self {
            ListRef::Packed(_) => "listpack",
            ListRef::Quick(_) => "quicklist",
        }
    }

    pub fn len(self) -> usize {
        match self {
            ListRef::Packed(pack) => pack.len(),
            ListRef::Quick(quick) => quick.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The element at an index from the head.
    pub fn get(self, index: usize) -> Option<Item<'a>> {
        match self {
            ListRef::Packed(pack) => pack.get(index),
            ListRef::Quick(quick) => quick.get(index),
        }
    }

    /// The elements from an index on to the tail.
    pub fn iter_from(self, index: usize) -> impl Iterator<Item = Item<'a>> {
        let (pack, quick) = match self {
            ListRef::Packed(pack) => (Some(pack), None),
            ListRef::Quick(quick) => (None, Some(quick)),
        };
        let packed = pack.into_iter().flat_map(move |pack| pack.iter_from(pack.nth(index).unwrap_or(pack.end())));
        packed.chain(quick.into_iter().flat_map(move |quick| quick.iter_from(index)))
    }

    /// How many nodes it has; a listpack is one.
    pub(crate) fn node_count(self) -> usize {
        match self {
            ListRef::Packed(_) => 1,
            ListRef::Quick(quick) => quick.nodes(),
        }
    }

    /// The nodes: of each, whether it is a single element, and the bytes of that or of the listpack.
    pub(crate) fn node_bytes(self) -> impl Iterator<Item = (bool, &'a [u8])> {
        let (pack, quick) = match self {
            ListRef::Packed(pack) => (Some((false, pack.as_bytes())), None),
            ListRef::Quick(quick) => (None, Some(quick)),
        };
        pack.into_iter().chain(quick.into_iter().flat_map(QuickList::node_bytes))
    }

    pub fn iter(self) -> impl Iterator<Item = Item<'a>> {
        self.iter_from(0)
    }

    /// The elements from the tail to the head.
    pub fn iter_back(self) -> impl Iterator<Item = Item<'a>> {
        let (pack, quick) = match self {
            ListRef::Packed(pack) => (Some(pack), None),
            ListRef::Quick(quick) => (None, Some(quick)),
        };
        pack.into_iter().flat_map(|pack| pack.iter().rev()).chain(quick.into_iter().flat_map(QuickList::iter_back))
    }
}

impl List {
    /// Makes ready for so many more elements with so many bytes of text: goes over to a sequence if they are too much
    /// for one listpack.
    pub fn prepare(&mut self, elements: usize, bytes: usize, limit: NodeLimit) {
        if let List::Packed(pack) = self {
            let old = pack.as_ref();
            if limit.exceeded(old.as_bytes().len() + bytes, old.len() + elements) {
                *self = List::Quick(Box::new(QuickList::new(std::mem::take(pack), limit)));
            }
        }
    }

    /// Goes back to one listpack where that is small enough: after removals and replacements.
    pub fn settle(&mut self, limit: NodeLimit) {
        if let List::Quick(quick) = self
            && let Some(pack) = quick.only_pack()
            && limit.well_below(pack.as_bytes().len(), pack.len())
        {
            *self = List::Packed(quick.take_only_pack());
        }
    }

    /// A list of nodes: one listpack, if there is no more and it is small enough.
    pub(crate) fn from_nodes(mut nodes: QuickList) -> List {
        match nodes.only_pack() {
            Some(pack) if !nodes.limit().exceeded(pack.as_bytes().len(), pack.len()) => {
                List::Packed(nodes.take_only_pack())
            }
            _ => List::Quick(Box::new(nodes)),
        }
    }

    /// Puts an element at an end. [`List::prepare`] comes first.
    pub fn push(&mut self, end: End, text: &[u8]) {
        match (self, end) {
            (List::Packed(pack), End::Head) => pack.push_front(Item::from_text(text)),
            (List::Packed(pack), End::Tail) => pack.push_back(Item::from_text(text)),
            (List::Quick(quick), end) => quick.push(end, text),
        }
    }

    /// Takes up to `count` elements from an end, showing each to `take`. Returns how many.
    pub fn pop(&mut self, end: End, count: usize, mut take: impl FnMut(Item<'_>)) -> usize {
        let len = self.as_ref().len();
        let count = count.min(len);
        match end {
            End::Head => self.as_ref().iter().take(count).for_each(&mut take),
            End::Tail => self.as_ref().iter_back().take(count).for_each(&mut take),
        }
        self.remove_range(if end == End::Head { 0 } else { len - count }, count);
        count
    }

    /// Removes so many elements from an index on.
    pub fn remove_range(&mut self, index: usize, count: usize) {
        match self {
            List::Packed(pack) => {
                if let Some(at) = pack.as_ref().nth(index) {
                    pack.remove(at, count);
                }
            }
            List::Quick(quick) => quick.remove_range(index, count),
        }
    }

    /// Replaces the element at an index. Tells whether there is one. [`List::prepare`] comes first.
    pub fn set(&mut self, index: usize, text: &[u8]) -> bool {
        match self {
            List::Packed(pack) => {
                let at = pack.as_ref().nth(index);
                at.is_some_and(|at| {
                    pack.replace(at, Item::from_text(text));
                    true
                })
            }
            List::Quick(quick) => quick.set(index, text),
        }
    }

    /// Inserts an element before or after the one at an index. Tells whether there is one. [`List::prepare`] comes
    /// first.
    pub fn insert(&mut self, beside: usize, after: bool, text: &[u8]) -> bool {
        match self {
            List::Packed(pack) => {
                let old = pack.as_ref();
                let Some(at) = old.nth(beside) else { return false };
                let at = if after { old.after(at, 1) } else { at };
                pack.insert(at, &[Item::from_text(text)]);
                true
            }
            List::Quick(quick) => quick.insert(beside, after, text),
        }
    }

    /// Removes up to `most` elements with this text, beginning at an end. Returns how many.
    pub fn remove_equal(&mut self, text: &[u8], most: usize, from: End) -> usize {
        let item = Item::from_text(text);
        match self {
            List::Packed(pack) => pack.remove_equal(item, most, from == End::Tail),
            List::Quick(quick) => quick.remove_equal(item, most, from),
        }
    }
}

impl Collection for List {
    type Ref<'a> = ListRef<'a>;
    const TYPE: Type = Type::List;

    fn new() -> List {
        List::Packed(ListPackBuf::new())
    }

    fn is_empty(&self) -> bool {
        self.as_ref().is_empty()
    }

    fn packed(&self) -> Option<(u8, &[u8])> {
        if let List::Packed(pack) = self { Some((0, pack.as_ref().as_bytes())) } else { None }
    }

    fn validate(_: u8, bytes: &[u8]) -> bool {
        ListPack::validate(bytes).is_some_and(|pack| !pack.is_empty() && pack.iter().all(Item::is_canonical))
    }

    fn from_packed(_: u8, bytes: Vec<u8>) -> List {
        List::Packed(ListPackBuf::from_vec(bytes))
    }

    fn into_buffer(self) -> Vec<u8> {
        if let List::Packed(pack) = self { pack.into_vec() } else { Vec::new() }
    }

    fn as_ref(&self) -> ListRef<'_> {
        match self {
            List::Packed(pack) => ListRef::Packed(pack.as_ref()),
            List::Quick(quick) => ListRef::Quick(quick),
        }
    }

    fn packed_ref(_: u8, bytes: &[u8]) -> ListRef<'_> {
        ListRef::Packed(ListPack::from_bytes(bytes))
    }

    fn memory(&self) -> usize {
        match self {
            List::Packed(pack) => good_size(pack.capacity()),
            List::Quick(quick) => quick.memory(),
        }
    }

    fn free_effort(&self) -> usize {
        if let List::Quick(quick) = self { quick.nodes() } else { 1 }
    }
}
