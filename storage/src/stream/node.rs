//! Entries that follow one another, in one listpack, laid out as Redis lays them out.
//!
//! ```text
//! master entry: [alive] [deleted] [names] name... [0]
//! then each:    [flags] [ms] [seq] value... [values before this one]                       with the master's names
//!               [flags] [ms] [seq] [pairs] (name value)... [values before this one]        with names of its own
//! ```
//!
//! The two parts of an ID are differences to the node's first ID, which is kept outside. The last number of an entry
//! says how many values it takes to go back to its flags; the master's 0 says that there is nothing before.

use smallvec::SmallVec;

use super::id::StreamId;
use crate::listpack::{Item, ListPack, ListPackBuf};

/// The entry was deleted, and its place is not used again.
const DELETED: i64 = 1;
/// The entry has the master's names, and so none of its own.
const SAME_NAMES: i64 = 2;

/// However generous the limits are, a node does not get larger than this by its bytes.
const LARGEST: usize = 1 << 30;

/// How large a node may get.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// Bytes; 0 is no limit.
    pub bytes: usize,
    /// Entries, the deleted ones included; 0 is no limit.
    pub entries: usize,
}

impl StreamLimits {
    /// Whether entries whose names and values take so many bytes can be stored at all.
    pub fn can_store(bytes: usize) -> bool {
        bytes <= LARGEST
    }
}

/// A node of a stream.
#[derive(Clone, Default)]
pub(super) struct Node(ListPackBuf);

/// What stands in the master entry.
#[derive(Clone, Copy)]
struct Master {
    alive: i64,
    deleted: i64,
    /// How many names, and where the first one stands.
    names: usize,
    names_at: usize,
}

/// An entry, borrowed from its node.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    pub id: StreamId,
    pack: ListPack<'a>,
    /// The place of the master's names, if it has these.
    names: Option<usize>,
    fields_at: usize,
    len: usize,
}

impl<'a> Entry<'a> {
    /// How many fields it has.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Names and values, in the order in which they were added.
    pub fn fields(self) -> impl Iterator<Item = (Item<'a>, Item<'a>)> {
        let (mut names, mut at) = (self.names, self.fields_at);
        (0..self.len).map_while(move |_| {
            let name = match &mut names {
                Some(names) => step(self.pack, names)?,
                None => step(self.pack, &mut at)?,
            };
            Some((name, step(self.pack, &mut at)?))
        })
    }
}

/// The value at a position, which moves on.
#[inline]
fn step<'a>(pack: ListPack<'a>, at: &mut usize) -> Option<Item<'a>> {
    let (item, next) = pack.at(*at)?;
    *at = next;
    Some(item)
}

#[inline]
fn number(pack: ListPack<'_>, at: &mut usize) -> Option<i64> {
    match step(pack, at)? {
        Item::Int(number) => Some(number),
        Item::Str(_) => None,
    }
}

#[inline]
fn count(pack: ListPack<'_>, at: &mut usize) -> Option<usize> {
    usize::try_from(number(pack, at)?).ok()
}

/// An entry as it lies, deleted or not.
struct Raw<'a> {
    entry: Entry<'a>,
    flags_at: usize,
    flags: i64,
    /// Behind it.
    next: usize,
}

/// A node to be read: its listpack, and what entries refer to.
#[derive(Clone, Copy)]
pub(crate) struct NodeRef<'a> {
    first: StreamId,
    pack: ListPack<'a>,
    names: usize,
    names_at: usize,
    /// Behind the master entry.
    start: usize,
}

impl<'a> NodeRef<'a> {
    /// The entry whose flags stand at a position.
    fn raw(&self, flags_at: usize) -> Option<Raw<'a>> {
        let (pack, mut at) = (self.pack, flags_at);
        let flags = number(pack, &mut at)?;
        let ms = number(pack, &mut at)?;
        let seq = number(pack, &mut at)?;
        // The differences wrap: the second one may well be below zero.
        let id = StreamId::new(self.first.ms.wrapping_add_signed(ms), self.first.seq.wrapping_add_signed(seq));
        let same = flags & SAME_NAMES != 0;
        let len = if same { self.names } else { count(pack, &mut at)? };
        let entry = Entry { id, pack, names: same.then_some(self.names_at), fields_at: at, len };
        // Its fields, and the number behind them.
        let next = pack.after(at, len * if same { 1 } else { 2 } + 1);
        Some(Raw { entry, flags_at, flags, next })
    }

    fn forward(self, mut at: usize) -> impl Iterator<Item = Raw<'a>> {
        std::iter::from_fn(move || {
            if at >= self.pack.end() {
                return None;
            }
            let raw = self.raw(at)?;
            at = raw.next;
            Some(raw)
        })
    }

    fn backward(self) -> impl Iterator<Item = Raw<'a>> {
        let mut behind = self.pack.end();
        std::iter::from_fn(move || {
            let mut at = self.pack.before(behind)?;
            let back = count(self.pack, &mut { at })?;
            if back == 0 {
                return None;
            }
            for _ in 0..back {
                at = self.pack.before(at)?;
            }
            behind = at;
            self.raw(at)
        })
    }

    /// The node's first ID.
    pub(crate) fn first_id(self) -> StreamId {
        self.first
    }

    /// The bytes of the node, which are Redis's.
    pub(crate) fn as_bytes(self) -> &'a [u8] {
        self.pack.as_bytes()
    }

    /// The entries that are not deleted.
    pub(crate) fn entries(self) -> impl Iterator<Item = Entry<'a>> {
        self.forward(self.start).filter(|raw| raw.flags & DELETED == 0).map(|raw| raw.entry)
    }

    /// The entries that are not deleted, the last one first.
    pub(super) fn entries_back(self) -> impl Iterator<Item = Entry<'a>> {
        self.backward().filter(|raw| raw.flags & DELETED == 0).map(|raw| raw.entry)
    }

    /// The IDs of all entries, the deleted ones included.
    pub(super) fn ids(self) -> impl Iterator<Item = StreamId> {
        self.forward(self.start).map(|raw| raw.entry.id)
    }

    /// The ID of the last entry, which may be deleted.
    pub(super) fn last_id(self) -> Option<StreamId> {
        self.backward().next().map(|raw| raw.entry.id)
    }
}

impl Node {
    /// A node with its first entry. Names and values take turns in `fields`.
    pub(super) fn new(fields: &[&[u8]]) -> Node {
        let names = fields.iter().step_by(2).map(|name| Item::from_text(name));
        let mut items: SmallVec<[Item<'_>; 24]> = SmallVec::new();
        items.extend([Item::Int(1), Item::Int(0), Item::Int((fields.len() / 2) as i64)]);
        items.extend(names);
        items.push(Item::Int(0));
        let mut node = Node::default();
        node.push(&mut items, StreamId::MIN, StreamId::MIN, fields, true);
        node
    }

    /// A node that comes from outside, if it is whole and could be used as if it had been made here.
    pub(super) fn validate(first: StreamId, bytes: Vec<u8>) -> Option<Node> {
        ListPack::validate(&bytes)?;
        let node = Node(ListPackBuf::from_vec(bytes));
        node.is_whole(first).then_some(node)
    }

    /// Whether every entry is as long as it says, and the numbers of entries are those of the master entry.
    fn is_whole(&self, first: StreamId) -> bool {
        let Some(master) = self.master() else { return false };
        let (pack, mut at) = (self.0.as_ref(), master.names_at);
        let skip = |at: &mut usize, items: usize| (0..items).all(|_| step(pack, at).is_some());
        if !skip(&mut at, master.names) || number(pack, &mut at) != Some(0) {
            return false;
        }
        let (mut alive, mut deleted, mut last) = (0, 0, StreamId::MIN);
        while at < pack.end() {
            let start = at;
            let Some(flags @ 0..=3) = number(pack, &mut at) else { return false };
            // Marking an entry as deleted must not move anything: one byte, and one that tells its length.
            let is_short = at - start == 2;
            let (Some(ms), Some(seq)) = (number(pack, &mut at), number(pack, &mut at)) else { return false };
            let id = StreamId::new(first.ms.wrapping_add_signed(ms), first.seq.wrapping_add_signed(seq));
            let (items, before) = if flags & SAME_NAMES != 0 {
                (Some(master.names), 3)
            } else {
                (count(pack, &mut at).and_then(|pairs| pairs.checked_mul(2)), 4)
            };
            let Some(items) = items.filter(|items| skip(&mut at, *items)) else { return false };
            if !is_short || id < first || id <= last || count(pack, &mut at) != Some(items + before) {
                return false;
            }
            if flags & DELETED == 0 {
                alive += 1
            } else {
                deleted += 1
            }
            last = id;
        }
        (master.alive, master.deleted) == (alive, deleted) && alive + deleted > 0
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_ref().as_bytes()
    }

    /// Adds an entry to those of a node with the ID `first`.
    pub(super) fn append(&mut self, first: StreamId, id: StreamId, fields: &[&[u8]]) {
        let Some(master) = self.master() else { return };
        let pack = self.0.as_ref();
        let same = fields.len() / 2 == master.names && {
            let names = pack.iter_from(master.names_at).take(master.names);
            let digits = &mut itoa::Buffer::new();
            names.zip(fields.iter().step_by(2)).all(|(name, new)| name.bytes(digits) == *new)
        };
        self.0.replace(pack.start(), Item::Int(master.alive + 1));
        self.push(&mut SmallVec::new(), first, id, fields, same);
    }

    /// Puts `items` at the end, and then an entry.
    fn push<'a>(
        &mut self,
        items: &mut SmallVec<[Item<'a>; 24]>,
        first: StreamId,
        id: StreamId,
        fields: &[&'a [u8]],
        same: bool,
    ) {
        let difference = |new: u64, old: u64| Item::Int(new.wrapping_sub(old) as i64);
        let flags = if same { SAME_NAMES } else { 0 };
        items.extend([Item::Int(flags), difference(id.ms, first.ms), difference(id.seq, first.seq)]);
        let pairs = fields.len() / 2;
        let back = if same {
            items.extend(fields.iter().skip(1).step_by(2).map(|value| Item::from_text(value)));
            pairs + 3
        } else {
            items.push(Item::Int(pairs as i64));
            items.extend(fields.iter().map(|text| Item::from_text(text)));
            2 * pairs + 4
        };
        items.push(Item::Int(back as i64));
        let end = self.0.as_ref().end();
        self.0.insert(end, items);
    }

    /// Whether an entry whose names and values take so many bytes goes to the next node.
    pub(super) fn is_full(&self, bytes: usize, limits: StreamLimits) -> bool {
        let most = if (1..=LARGEST).contains(&limits.bytes) { limits.bytes } else { LARGEST };
        if self.bytes() + bytes >= most {
            return true;
        }
        limits.entries > 0
            && self.master().is_none_or(|master| (master.alive + master.deleted) as usize >= limits.entries)
    }

    fn master(&self) -> Option<Master> {
        let (pack, mut at) = (self.0.as_ref(), self.0.as_ref().start());
        let alive = number(pack, &mut at)?;
        let deleted = number(pack, &mut at)?;
        let names = count(pack, &mut at)?;
        Some(Master { alive, deleted, names, names_at: at })
    }

    /// How many entries are not deleted.
    pub(super) fn alive(&self) -> usize {
        self.master().map_or(0, |master| master.alive as usize)
    }

    /// The node to be read; `first` is its first ID.
    pub(super) fn as_ref(&self, first: StreamId) -> NodeRef<'_> {
        let pack = self.0.as_ref();
        match self.master() {
            Some(Master { names, names_at, .. }) => {
                NodeRef { first, pack, names, names_at, start: pack.after(names_at, names + 1) }
            }
            None => NodeRef { first, pack, names: 0, names_at: pack.end(), start: pack.end() },
        }
    }

    /// Marks the entries that `which` chooses as deleted, from the front up to the first one that it answers with
    /// `None`. Returns how many it marked.
    pub(super) fn delete(&mut self, first: StreamId, mut which: impl FnMut(StreamId) -> Option<bool>) -> usize {
        let node = self.as_ref(first);
        let mut marked: SmallVec<[(usize, i64); 8]> = SmallVec::new();
        for raw in node.forward(node.start).filter(|raw| raw.flags & DELETED == 0) {
            match which(raw.entry.id) {
                Some(true) => marked.push((raw.flags_at, raw.flags)),
                Some(false) => {}
                None => break,
            }
        }
        // The flags take one byte with or without the mark, so nothing moves.
        for (at, flags) in &marked {
            self.0.replace(*at, Item::Int(flags | DELETED));
        }
        if let Some(master) = self.master().filter(|_| !marked.is_empty()) {
            let (pack, count) = (self.0.as_ref(), marked.len() as i64);
            let (start, second) = (pack.start(), pack.after(pack.start(), 1));
            self.0.replace(second, Item::Int(master.deleted + count));
            self.0.replace(start, Item::Int(master.alive - count));
        }
        marked.len()
    }

    /// Gives back the room for more entries.
    pub(super) fn close(&mut self) {
        self.0.shrink();
    }

    pub(super) fn bytes(&self) -> usize {
        self.as_bytes().len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The node that Redis 8.0 dumps after three XADD and an XDEL.
    #[test]
    fn the_bytes_are_those_of_redis() {
        let first = StreamId::new(1000, 5);
        let mut node = Node::new(&[b"name", b"alice", b"n", b"17", b"e", b""]);
        node.append(first, StreamId::new(1000, 6), &[b"name", b"bob", b"n", b"-300", b"e", b"x"]);
        node.append(first, StreamId::new(1002, 0), &[b"other", b"70000"]);
        assert_eq!(node.delete(first, |id| Some(id.seq == 6)), 1);
        let expected: &[u8] = b"XX\x00\x00\x00\x1c\x00\x02\x01\x01\x01\x03\x01\x84name\x05\x81n\x02\x81e\x02\x00\x01\
            \x02\x01\x00\x01\x00\x01\x85alice\x06\x11\x01\x80\x01\x06\x01\
            \x03\x01\x00\x01\x01\x01\x83bob\x04\xde\xd4\x02\x81x\x02\x06\x01\
            \x00\x01\x02\x01\xdf\xfb\x02\x01\x01\x85other\x06\xf2p\x11\x01\x04\x06\x01\xff";
        // The dump begins with the length of the node.
        assert_eq!(node.0.as_ref().as_bytes(), &expected[1..]);
        assert_eq!(node.as_ref(first).entries().map(|entry| entry.id.seq).collect::<Vec<_>>(), [5, 0]);
        assert_eq!(node.as_ref(first).entries_back().map(|entry| entry.id.seq).collect::<Vec<_>>(), [0, 5]);
        assert_eq!((node.alive(), node.as_ref(first).last_id()), (2, Some(StreamId::new(1002, 0))));
    }
}
