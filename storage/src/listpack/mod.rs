//! The listpack: many small values in one run of bytes, in Redis's own format, so that snapshots and other servers can
//! take it as it is.
//!
//! ```text
//! [bytes in all: u32] [values: u16, 65535 for "count them"] entry... [0xff]
//! ```

mod codec;

use std::collections::HashSet;

use crate::memory::good_size;

pub use codec::{Item, parse_canonical};

const HEADER: usize = 6;
const END: u8 = 0xff;
const EMPTY: &[u8] = &[7, 0, 0, 0, 0, 0, END];
/// The count that means that the values must be counted.
const MANY: u16 = u16::MAX;

/// A listpack, borrowed.
///
/// A position is the offset of an entry; the one behind the last entry is [`ListPack::end`].
#[derive(Clone, Copy, Debug)]
pub struct ListPack<'a>(&'a [u8]);

impl<'a> ListPack<'a> {
    /// Bytes that a listpack was made of before, here or after [`ListPack::validate`]. Others give wrong answers, but
    /// no more than that.
    #[inline]
    pub fn from_bytes(bytes: &'a [u8]) -> ListPack<'a> {
        ListPack(if bytes.is_empty() { EMPTY } else { bytes })
    }

    /// Bytes that come from outside, if they are a listpack through and through.
    pub fn validate(bytes: &'a [u8]) -> Option<ListPack<'a>> {
        let pack = ListPack(bytes);
        let total = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        if total != bytes.len() || total < EMPTY.len() || bytes[total - 1] != END {
            return None;
        }
        let (mut at, mut count) = (HEADER, 0usize);
        while at < pack.end() {
            at = codec::check(bytes, at)?;
            count += 1;
        }
        let told = pack.told();
        (at == pack.end() && (told == MANY || usize::from(told) == count)).then_some(pack)
    }

    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    fn told(self) -> u16 {
        u16::from_le_bytes([self.0[4], self.0[5]])
    }

    /// The number of values.
    #[inline]
    pub fn len(self) -> usize {
        match self.told() {
            MANY => self.iter().count(),
            count => count.into(),
        }
    }

    #[inline]
    pub fn is_empty(self) -> bool {
        self.0.len() <= EMPTY.len()
    }

    /// The position of the first value, which is [`ListPack::end`] where there is none.
    #[inline]
    pub fn start(self) -> usize {
        HEADER
    }

    /// The position behind the last value.
    #[inline]
    pub fn end(self) -> usize {
        self.0.len() - 1
    }

    /// The value at a position and the position of the next one; `None` at the end.
    #[inline]
    pub fn at(self, position: usize) -> Option<(Item<'a>, usize)> {
        codec::read(self.0, position)
    }

    /// The position before another one; `None` at the start.
    #[inline]
    pub fn before(self, position: usize) -> Option<usize> {
        if position <= HEADER { None } else { codec::read_back(self.0, position) }
    }

    /// The position `steps` values behind another one, the end if there are no more than that.
    pub fn after(self, mut position: usize, steps: usize) -> usize {
        for _ in 0..steps {
            match self.at(position) {
                Some((_, next)) => position = next,
                None => break,
            }
        }
        position
    }

    /// The position of the `index`th value, reached from the nearer end.
    pub fn nth(self, index: usize) -> Option<usize> {
        let len = self.len();
        if index >= len {
            return None;
        }
        if index <= len / 2 {
            return Some(self.after(HEADER, index));
        }
        let mut position = self.end();
        for _ in index..len {
            position = self.before(position)?;
        }
        Some(position)
    }

    /// The `index`th value.
    pub fn get(self, index: usize) -> Option<Item<'a>> {
        self.nth(index).and_then(|position| self.at(position)).map(|(item, _)| item)
    }

    pub fn iter(self) -> Iter<'a> {
        Iter { pack: self, front: HEADER, back: self.end() }
    }

    /// All values from a position on.
    pub fn iter_from(self, position: usize) -> Iter<'a> {
        Iter { pack: self, front: position, back: self.end() }
    }

    /// Whether the listpack has values in groups of `step`, at least one, whose first values differ from each other and
    /// are stored as [`Item::from_text`] would store them, so that they can be found.
    pub fn is_keyed(self, step: usize) -> bool {
        let mut keys = HashSet::new();
        let len = self.len();
        len > 0
            && len.is_multiple_of(step)
            && self.iter().step_by(step).all(|key| key.is_canonical() && keys.insert(key))
    }

    /// The position of the first value from `position` on that has this text, looking only at every `step`th.
    #[inline]
    pub fn find(self, mut position: usize, text: &[u8], step: usize) -> Option<usize> {
        let wanted = Item::from_text(text);
        while let Some((item, next)) = self.at(position) {
            if item == wanted {
                return Some(position);
            }
            position = self.after(next, step - 1);
        }
        None
    }
}

/// The values of a listpack, from both ends.
#[derive(Clone)]
pub struct Iter<'a> {
    pack: ListPack<'a>,
    front: usize,
    back: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.front >= self.back {
            return None;
        }
        let (item, next) = self.pack.at(self.front)?;
        self.front = next;
        Some(item)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        self.back = self.pack.before(self.back)?;
        self.pack.at(self.back).map(|(item, _)| item)
    }
}

/// A listpack to be changed. An empty one has allocated nothing.
///
/// In front of a longer one there may be a gap, so that values can come and go at its head without all the others being
/// moved.
#[derive(Clone, Default, Debug)]
pub struct ListPackBuf {
    bytes: Vec<u8>,
    /// Where the listpack begins in `bytes`.
    gap: usize,
}

/// Shorter listpacks are rather moved.
const GAP_FROM: usize = 512;

impl ListPackBuf {
    pub const fn new() -> ListPackBuf {
        ListPackBuf { bytes: Vec::new(), gap: 0 }
    }

    /// A buffer that holds a listpack, or nothing.
    pub fn from_vec(bytes: Vec<u8>) -> ListPackBuf {
        ListPackBuf { bytes, gap: 0 }
    }

    pub fn into_vec(mut self) -> Vec<u8> {
        self.bytes.drain(..self.gap);
        self.bytes
    }

    #[inline]
    pub fn as_ref(&self) -> ListPack<'_> {
        ListPack::from_bytes(&self.bytes[self.gap..])
    }

    /// Bytes that are allocated.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Bytes that are in use.
    fn len(&self) -> usize {
        self.bytes.len() - self.gap
    }

    fn body(&mut self) -> &mut [u8] {
        &mut self.bytes[self.gap..]
    }

    fn resize(&mut self, len: usize) {
        self.bytes.resize(self.gap + len, 0);
    }

    /// Gives back what is allocated beyond the bytes in use.
    pub fn shrink(&mut self) {
        // By a copy: asked to shrink in place, the allocator leaves everything as it is down to half of the size.
        if good_size(self.capacity()) > good_size(self.len()) {
            *self = ListPackBuf::from_vec(self.body().into());
        }
    }

    /// Gives back what is allocated if it is more than twice what is in use.
    pub fn release_half(&mut self) {
        if self.capacity() / 2 > self.len() {
            self.shrink();
        }
    }

    /// Whether so many more bytes of text may be added. However generous the limits of a type are, a listpack's own
    /// length must fit into 32 bits.
    pub fn has_room(&self, text_len: usize) -> bool {
        const MOST: usize = 1 << 30;
        self.as_ref().as_bytes().len().saturating_add(text_len) <= MOST
    }

    /// Bytes that the listpack would have with one more value of this text.
    pub fn bytes_with(&self, text_len: usize) -> usize {
        // A header of at most five bytes, and at most five behind.
        self.as_ref().as_bytes().len() + text_len + 10
    }

    pub fn push_back(&mut self, item: Item<'_>) {
        let end = self.as_ref().end();
        self.insert(end, &[item]);
    }

    pub fn push_front(&mut self, item: Item<'_>) {
        self.insert(HEADER, &[item]);
    }

    /// Inserts values before a position.
    #[inline]
    pub fn insert(&mut self, position: usize, items: &[Item<'_>]) {
        self.splice(position, position, 0, items);
    }

    /// Puts another value in the place of the one at a position.
    pub fn replace(&mut self, position: usize, item: Item<'_>) {
        if let Some((_, next)) = self.as_ref().at(position) {
            self.splice(position, next, 1, &[item]);
        }
    }

    /// Removes up to `count` values from a position on. Returns how many.
    pub fn remove(&mut self, position: usize, count: usize) -> usize {
        let pack = self.as_ref();
        let (mut next, mut removed) = (position, 0);
        while removed < count {
            let Some((_, behind)) = pack.at(next) else { break };
            next = behind;
            removed += 1;
        }
        self.splice(position, next, removed, &[]);
        removed
    }

    /// Removes up to `most` values that are equal to an item, the first or the last ones. Returns how many.
    pub fn remove_equal(&mut self, item: Item<'_>, most: usize, last: bool) -> usize {
        let mut spared =
            if last { self.as_ref().iter().filter(|found| *found == item).count().saturating_sub(most) } else { 0 };
        let (mut removed, mut position) = (0, HEADER);
        // What lies before `kept` has its place, what lies behind `from` has yet to move there.
        let (mut kept, mut from) = (HEADER, HEADER);
        while removed < most
            && let Some((found, next)) = self.as_ref().at(position)
        {
            if found == item {
                if spared > 0 {
                    spared -= 1;
                } else {
                    self.body().copy_within(from..position, kept);
                    kept += position - from;
                    from = next;
                    removed += 1;
                }
            }
            position = next;
        }
        if removed > 0 {
            let end = self.len();
            self.body().copy_within(from..end, kept);
            self.resize(kept + (end - from));
            self.set_header(self.as_ref().told().into(), 0, removed);
        }
        removed
    }

    /// Takes out everything from a position on, as a listpack of its own.
    pub fn split_off(&mut self, position: usize) -> ListPackBuf {
        let pack = self.as_ref();
        let tail = &pack.as_bytes()[position..pack.end()];
        let count = pack.iter_from(position).count();
        let mut other = ListPackBuf::from_vec(Vec::with_capacity(EMPTY.len() + tail.len()));
        other.bytes.extend_from_slice(&EMPTY[..HEADER]);
        other.bytes.extend_from_slice(tail);
        other.bytes.push(END);
        other.set_header(0, count, 0);
        let end = pack.end();
        self.splice(position, end, count, &[]);
        other
    }

    /// Puts the values of another listpack behind those of this one.
    pub fn append(&mut self, other: ListPack<'_>) {
        self.begin();
        let count = other.len();
        self.bytes.pop();
        self.bytes.extend_from_slice(&other.as_bytes()[HEADER..]);
        self.set_header(self.as_ref().told().into(), count, 0);
    }

    fn begin(&mut self) {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(EMPTY);
        }
    }

    /// Puts values in the place of the `removed` ones between two positions.
    fn splice(&mut self, from: usize, to: usize, removed: usize, items: &[Item<'_>]) {
        self.begin();
        let added: usize = items.iter().map(|item| item.entry_len()).sum();
        if from == HEADER && self.len() >= GAP_FROM {
            self.move_head(to - from, added);
        } else if added != to - from {
            let (old_len, new_len) = (self.len(), self.len() + added - (to - from));
            self.resize(new_len.max(old_len));
            self.body().copy_within(to..old_len, from + added);
            self.resize(new_len);
        }
        let mut at = from;
        for item in items {
            let len = item.entry_len();
            item.write(&mut self.body()[at..at + len]);
            at += len;
        }
        self.set_header(self.as_ref().told().into(), items.len(), removed);
    }

    /// Makes the first `old` bytes behind the header `new` ones, by letting the listpack begin elsewhere. The header
    /// is to be written anew.
    fn move_head(&mut self, old: usize, new: usize) {
        if new > old + self.gap {
            let gap = new - old + self.len() / 2;
            let mut bytes = Vec::with_capacity(gap + self.len());
            bytes.resize(gap, 0);
            bytes.extend_from_slice(self.body());
            *self = ListPackBuf { bytes, gap };
        }
        let header = self.as_ref().told();
        self.gap = self.gap + old - new;
        self.body()[4..HEADER].copy_from_slice(&header.to_le_bytes());
    }

    fn set_header(&mut self, before: usize, added: usize, removed: usize) {
        let count = match u16::try_from(before) {
            Ok(MANY) => MANY,
            _ => u16::try_from(before + added - removed).unwrap_or(MANY),
        };
        let total = u32::try_from(self.len()).expect("callers keep listpacks far below 4 GiB");
        self.body()[..4].copy_from_slice(&total.to_le_bytes());
        self.body()[4..HEADER].copy_from_slice(&count.to_le_bytes());
    }
}
