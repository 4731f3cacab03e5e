//! The one hash table of the project: linear hashing over small unordered pages.
//!
//! A table is a directory of `n` pages. With `bits` the number of bits that `n - 1` needs, an item lies in the page
//! numbered by the lowest `bits` bits of its hash, or, where there is no such page yet, by one bit less. The table
//! grows by one page at a time: the page that has waited longest is split by one more bit of its items' hashes. It
//! shrinks the same way back. So no operation ever moves more than a page or two of items (and, once in a while, the
//! directory, eight bytes a page).
//!
//! Between two doublings pages differ in how full they are by a factor of two. That costs nothing here, since each
//! page is an allocation just as large as its items need. The memory per item is thus the same at every fill.
//!
//! Of a hash the table uses the lowest 32 bits ([`HASH_BITS`]) to choose a page, and the highest 8 as the tag that
//! tells most of a page's items apart without looking at them. The bits between are the caller's.

mod group;
mod page;
mod walk;

pub use group::prefetch;
pub use walk::PageView;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use smallvec::SmallVec;

use crate::memory::good_size;
use page::Page;

/// Whether tables give pages back when items go.
static SHRINK: AtomicBool = AtomicBool::new(true);

/// Has all tables shrink with their items from now on, or stay as large as they are. They grow as they must.
pub fn set_shrinking(on: bool) {
    SHRINK.store(on, Relaxed);
}

/// The hint of a page about whose items nothing is known.
pub const NO_HINT: u32 = u32::MAX;

/// How many bits of a hash choose the page; a table has at most two to this power of pages, and scan cursors stay
/// below it.
pub const HASH_BITS: u32 = 32;

/// The mean number of items per page that the table grows to keep. More would save a little of the 16 bytes that a page
/// costs beside its items, and make more tags agree by chance.
const TARGET: usize = 40;

/// What a table can hold: a plain value that is packed into bytes.
///
/// # Safety
/// The type has alignment 1 and no padding: every byte of every value is initialised.
pub unsafe trait PlainItem {}

/// Where an item lies. Good until the next insertion or removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    page: u32,
    slot: u16,
}

/// A hash table of plain items that the caller hashes and compares.
///
/// Items are not dropped with the table: if they own something, [`HashTable::drain`] them first.
pub struct HashTable<T> {
    pages: Vec<Page<T>>,
    len: usize,
    /// The bytes of all pages.
    page_bytes: usize,
    /// At least the length of the longest page: the bound for fair sampling.
    longest: u16,
}

impl<T: PlainItem> Default for HashTable<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: PlainItem> HashTable<T> {
    /// An empty table. Allocates nothing.
    pub const fn new() -> Self {
        HashTable { pages: Vec::new(), len: 0, page_bytes: 0, longest: 0 }
    }

    /// The number of items.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no item.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes that the table has allocated, rounded up to what the allocator takes.
    pub fn memory(&self) -> usize {
        let directory = self.pages.capacity() * size_of::<Page<T>>();
        self.page_bytes + if directory == 0 { 0 } else { good_size(directory) }
    }

    /// The number of the page for a hash. In a table without pages, a number that is no page's.
    #[inline(always)]
    fn page_number(&self, hash: u64) -> usize {
        let hash = hash as u32 as usize;
        let pages = self.pages.len();
        let mask = usize::MAX >> (pages.wrapping_sub(1) | 1).leading_zeros();
        let number = hash & mask;
        if number < pages { number } else { hash & (mask >> 1) }
    }

    #[inline(always)]
    fn page(&self, hash: u64) -> Option<&Page<T>> {
        self.pages.get(self.page_number(hash))
    }

    /// The position of the item with this hash that `eq` accepts.
    #[inline(always)]
    pub fn position(&self, hash: u64, eq: impl FnMut(&T) -> bool) -> Option<Position> {
        let number = self.page_number(hash);
        let slot = self.pages.get(number)?.find(tag(hash), eq)?;
        Some(Position { page: number as u32, slot: slot as u16 })
    }

    /// The item with this hash that `eq` accepts.
    #[inline(always)]
    pub fn find(&self, hash: u64, eq: impl FnMut(&T) -> bool) -> Option<&T> {
        let page = self.page(hash)?;
        page.find(tag(hash), eq).map(|slot| &page.items()[slot])
    }

    /// The item with this hash that `eq` accepts, to be changed. Its hash must stay what it is.
    #[inline(always)]
    pub fn find_mut(&mut self, hash: u64, eq: impl FnMut(&T) -> bool) -> Option<&mut T> {
        let number = self.page_number(hash);
        let page = self.pages.get_mut(number)?;
        page.find(tag(hash), eq).map(|slot| &mut page.items_mut()[slot])
    }

    /// The item at a position that this table has given out.
    ///
    /// # Panics
    /// May panic, or give another item, if the table has changed since.
    #[inline(always)]
    pub fn at(&self, position: Position) -> &T {
        &self.pages[position.page as usize].items()[position.slot as usize]
    }

    /// As [`HashTable::at`], to be changed. The item's hash must stay what it is.
    #[inline(always)]
    pub fn at_mut(&mut self, position: Position) -> &mut T {
        &mut self.pages[position.page as usize].items_mut()[position.slot as usize]
    }

    /// Inserts an item that the table does not hold yet (the caller has looked). `hasher` tells the hashes of items
    /// that the table holds, as given when they were inserted.
    #[inline]
    pub fn insert_unique(&mut self, hash: u64, item: T, hasher: impl Fn(&T) -> u64) -> Position {
        if self.len >= self.pages.len() * TARGET {
            self.add_page(hasher);
        }
        let number = self.page_number(hash);
        let page = &mut self.pages[number];
        if page.is_full() {
            self.page_bytes += page.grow();
        }
        let slot = page.push(tag(hash), item);
        self.longest = self.longest.max(page.len() as u16);
        self.len += 1;
        Position { page: number as u32, slot: slot as u16 }
    }

    /// Finds the item that `eq` accepts, or inserts what `make` returns. Tells whether it has inserted.
    #[inline]
    pub fn find_or_insert_with(
        &mut self,
        hash: u64,
        eq: impl FnMut(&T) -> bool,
        make: impl FnOnce() -> T,
        hasher: impl Fn(&T) -> u64,
    ) -> (Position, bool) {
        match self.position(hash, eq) {
            Some(position) => (position, false),
            None => (self.insert_unique(hash, make(), hasher), true),
        }
    }

    /// Puts another item of the same hash in the place of the one at `position`, and returns that one.
    #[inline]
    pub fn replace_at(&mut self, position: Position, item: T) -> T {
        std::mem::replace(self.at_mut(position), item)
    }

    /// Removes the item with this hash that `eq` accepts.
    #[inline]
    pub fn remove(&mut self, hash: u64, eq: impl FnMut(&T) -> bool) -> Option<T> {
        self.position(hash, eq).map(|position| self.remove_at(position))
    }

    /// Removes the item at a position that this table has given out.
    ///
    /// # Panics
    /// May panic, or remove another item, if the table has changed since.
    #[inline]
    pub fn remove_at(&mut self, position: Position) -> T {
        let page = &mut self.pages[position.page as usize];
        let item = page.swap_remove(position.slot as usize);
        self.page_bytes -= page.shrink();
        self.len -= 1;
        self.merge_pages();
        item
    }

    /// Removes everything and frees all memory. Items are forgotten, not dropped.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Starts to load what a search for this hash reads first.
    #[inline(always)]
    pub fn prefetch(&self, hash: u64) {
        if let Some(page) = self.page(hash) {
            page.prefetch();
        }
    }

    /// Shows the likeliest item for this hash to `load`, which prefetches what the item points to. Worth it some time
    /// after [`HashTable::prefetch`].
    #[inline(always)]
    pub fn prefetch_item(&self, hash: u64, load: impl FnOnce(&T)) {
        if let Some(item) = self.find(hash, |_| true) {
            load(item);
        }
    }

    /// Starts to load what searches for several hashes will read: all their pages, and then what `load` prefetches of
    /// the likeliest items there. A table that the processor's cache holds is left alone.
    pub fn prefetch_all(&self, hashes: impl Iterator<Item = u64>, load: impl Fn(&T)) {
        const CACHED: usize = 10_000;
        if self.len < CACHED {
            return;
        }
        let hashes: SmallVec<[u64; 64]> = hashes.inspect(|hash| self.prefetch(*hash)).collect();
        hashes.into_iter().for_each(|hash| self.prefetch_item(hash, &load));
    }

    /// Lowers the hint of the page for this hash to `hint` if it is higher. A page's hint is a lower bound of a figure
    /// that its items have (the earliest expiry); the table carries it along when it splits and merges pages.
    #[inline]
    pub fn lower_hint(&mut self, hash: u64, hint: u32) {
        let number = self.page_number(hash);
        if let Some(page) = self.pages.get_mut(number)
            && hint < page.hint()
        {
            page.set_hint(hint);
        }
    }

    /// Adds a page, and moves to it what belongs there from the page that had it so far.
    #[cold]
    #[inline(never)]
    fn add_page(&mut self, hasher: impl Fn(&T) -> u64) {
        let number = self.pages.len();
        if number >> HASH_BITS != 0 {
            return;
        }
        if number == self.pages.capacity() {
            // Steps of an eighth keep the directory small. Doubling it would show in the memory of big tables.
            let wanted = good_size((number + number / 8 + 1) * size_of::<Page<T>>()) / size_of::<Page<T>>();
            self.pages.reserve_exact(wanted - number);
        }
        let new = if number == 0 {
            Page::empty()
        } else {
            let bit = 1 << number.ilog2();
            let source = &mut self.pages[number - bit];
            let before = source.bytes();
            let new = source.split(|item| hasher(item) & bit as u64 != 0);
            self.page_bytes = self.page_bytes + source.bytes() + new.bytes() - before;
            new
        };
        self.pages.push(new);
    }

    /// Takes pages back while there are clearly too many for the items.
    #[inline(always)]
    fn merge_pages(&mut self) {
        while self.len < self.pages.len().saturating_sub(1) * (TARGET - TARGET / 8) || self.len == 0 {
            if self.len == 0 {
                return self.clear();
            }
            if !SHRINK.load(Relaxed) || !self.remove_page() {
                return;
            }
        }
    }

    /// Moves the items of the last page back to the page that they came from. Tells whether they fit there.
    #[cold]
    #[inline(never)]
    fn remove_page(&mut self) -> bool {
        let last = self.pages.len() - 1;
        let target = last - (1 << last.ilog2());
        if self.pages[target].len() + self.pages[last].len() > Page::<T>::MAX_LEN {
            return false;
        }
        let Some(page) = self.pages.pop() else { return false };
        let target = &mut self.pages[target];
        let before = target.bytes() + page.bytes();
        target.append(page);
        self.page_bytes = self.page_bytes + target.bytes() - before;
        self.longest = self.longest.max(target.len() as u16);
        if self.pages.len() < self.pages.capacity() - self.pages.capacity() / 4 {
            self.pages.shrink_to(self.pages.len() + self.pages.len() / 8);
        }
        true
    }
}

/// The tag of a hash: what tells the items of a page apart at a glance.
#[inline(always)]
fn tag(hash: u64) -> u8 {
    (hash >> 56) as u8
}
