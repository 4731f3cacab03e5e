//! One page of the table: a header, a tag per item, and the items, unordered, in a single allocation.
//!
//! ```text
//! | hint u32 | len u16 | cap u16 | tag 0 .. tag cap-1 | item 0 .. item cap-1 | (left over of the size class)
//! ```
//!
//! All pointer work of the table is in this file.

use super::group::{GROUP, match_tags, prefetch};
use super::{NO_HINT, PlainItem};
use crate::memory::good_size;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

struct Header {
    hint: u32,
    len: u16,
    cap: u16,
}

/// What every page without an allocation points to. Its capacity of zero keeps anybody from writing to it.
static EMPTY: Header = Header { hint: NO_HINT, len: 0, cap: 0 };

const HEADER: usize = size_of::<Header>();

/// An owned page. The size of a pointer; a page without room has no allocation.
pub(super) struct Page<T>(NonNull<Header>, PhantomData<T>);

// SAFETY: a page owns its items as a Vec does, and gives out access by the usual rules of borrowing.
unsafe impl<T: Send> Send for Page<T> {}
// SAFETY: as above; nothing changes behind a shared reference.
unsafe impl<T: Sync> Sync for Page<T> {}

impl<T> Page<T> {
    /// The bytes of a page of `cap` items: room for all of them, and for reading the tags in whole groups.
    const fn size(cap: usize) -> usize {
        let items = cap * (1 + size_of::<T>());
        let groups = cap.next_multiple_of(GROUP);
        HEADER + if items > groups { items } else { groups }
    }

    fn layout(cap: usize) -> Layout {
        // SAFETY: the alignment is a power of two, and 65,535 items of any type are far from isize::MAX bytes.
        unsafe { Layout::from_size_align_unchecked(Self::size(cap), align_of::<Header>()) }
    }
}

impl<T: PlainItem> Page<T> {
    pub(super) const MAX_LEN: usize = u16::MAX as usize;

    pub(super) fn empty() -> Self {
        const {
            assert!(align_of::<T>() == 1 && size_of::<T>() >= 1, "items are packed bytes");
            assert!(!std::mem::needs_drop::<T>(), "the table forgets items without dropping them");
        }
        Page(NonNull::from(&EMPTY), PhantomData)
    }

    fn with_capacity_for(len: usize) -> Self {
        let cap = Self::capacity_for(len);
        if cap == 0 {
            return Self::empty();
        }
        let layout = Self::layout(cap);
        // SAFETY: the layout is not of size zero. The header is written before anybody reads it; it lies at the start,
        // aligned. Whole groups of tags are read, so the bytes up to the end of the last group are set too; `layout`
        // has made room for them.
        unsafe {
            let Some(header) = NonNull::new(alloc(layout).cast::<Header>()) else { handle_alloc_error(layout) };
            header.write(Header { hint: NO_HINT, len: 0, cap: cap as u16 });
            header.add(1).cast::<u8>().write_bytes(0, cap.next_multiple_of(GROUP));
            Page(header, PhantomData)
        }
    }

    /// How many items fit where `len` items need an allocation anyway.
    fn capacity_for(len: usize) -> usize {
        if len == 0 {
            return 0;
        }
        ((good_size(Self::size(len)) - HEADER) / (1 + size_of::<T>())).min(Self::MAX_LEN)
    }

    #[inline(always)]
    fn header(&self) -> &Header {
        // SAFETY: the pointer is to EMPTY or to an allocation of ours, which starts with a header.
        unsafe { self.0.as_ref() }
    }

    /// The header of a page with an allocation, for writing.
    #[inline(always)]
    fn header_mut(&mut self) -> &mut Header {
        assert!(self.capacity() > 0);
        // SAFETY: a capacity above zero means that this is not EMPTY but an allocation, which `self` owns.
        unsafe { self.0.as_mut() }
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.header().len as usize
    }

    #[inline(always)]
    fn capacity(&self) -> usize {
        self.header().cap as usize
    }

    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.header().len == self.header().cap
    }

    /// The bytes that the allocation takes.
    pub(super) fn bytes(&self) -> usize {
        if self.capacity() == 0 { 0 } else { good_size(Self::size(self.capacity())) }
    }

    pub(super) fn hint(&self) -> u32 {
        self.header().hint
    }

    /// Sets the hint. A page without items has none.
    pub(super) fn set_hint(&mut self, hint: u32) {
        if self.len() > 0 {
            self.header_mut().hint = hint;
        }
    }

    #[inline(always)]
    fn tags(&self) -> NonNull<u8> {
        // SAFETY: the tags begin where the header ends: in the allocation, or just behind EMPTY.
        unsafe { self.0.add(1).cast() }
    }

    #[inline(always)]
    fn first_item(&self) -> NonNull<T> {
        // SAFETY: `cap` tags lie between the header and the items (none behind EMPTY).
        unsafe { self.tags().add(self.capacity()).cast() }
    }

    #[inline(always)]
    pub(super) fn items(&self) -> &[T] {
        // SAFETY: the first `len` items are initialised, and T asks for no alignment.
        unsafe { std::slice::from_raw_parts(self.first_item().as_ptr(), self.len()) }
    }

    #[inline(always)]
    pub(super) fn items_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `items`; `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.first_item().as_ptr(), self.len()) }
    }

    /// The slot of the first item with this tag that `eq` accepts.
    #[inline(always)]
    pub(super) fn find(&self, tag: u8, mut eq: impl FnMut(&T) -> bool) -> Option<usize> {
        let items = self.items();
        let mut base = 0;
        while base < items.len() {
            // SAFETY: `base` is a multiple of the group below `len`. Every allocation is as long as its tags in whole
            // groups (`size`), all of that was set when it was made, and items are initialised bytes (`PlainItem`).
            let mut hits = unsafe { match_tags(self.tags().as_ptr().add(base), tag) };
            while hits != 0 {
                let slot = base + hits.trailing_zeros() as usize;
                // Behind the last tag lie left-over tags and items.
                let item = items.get(slot)?;
                if eq(item) {
                    return Some(slot);
                }
                hits &= hits - 1;
            }
            base += GROUP;
        }
        None
    }

    /// Prefetches what the search for a tag reads.
    #[inline(always)]
    pub(super) fn prefetch(&self) {
        prefetch(self.0.as_ptr());
        prefetch(self.0.as_ptr().cast::<u8>().wrapping_add(64));
    }

    /// Makes room for one more item in a full page. Returns by how many bytes the page grew.
    #[cold]
    #[inline(never)]
    pub(super) fn grow(&mut self) -> usize {
        assert!(self.len() < Self::MAX_LEN, "65,535 items share 32 bits of their hashes: the hash function is broken");
        let before = self.bytes();
        self.reallocate(self.len() + 1);
        self.bytes() - before
    }

    /// Appends an item to a page that is not full. Returns its slot.
    #[inline(always)]
    pub(super) fn push(&mut self, tag: u8, item: T) -> usize {
        assert!(!self.is_full());
        let slot = self.len();
        // SAFETY: `len` is below `cap`, so the tag and the item of that slot lie in the allocation.
        unsafe {
            self.tags().add(slot).write(tag);
            self.first_item().add(slot).write(item);
        }
        self.header_mut().len += 1;
        slot
    }

    /// Takes an item out; the last one takes its slot.
    #[inline(always)]
    pub(super) fn swap_remove(&mut self, slot: usize) -> T {
        assert!(slot < self.len());
        let last = self.len() - 1;
        // SAFETY: both slots are below `len`. The item is moved out once, and what remains in the last slot, moved to
        // `slot` where that is another, is beyond the new length.
        let item = unsafe {
            let item = self.first_item().add(slot).read();
            self.tags().add(slot).write(self.tags().add(last).read());
            ptr::copy(self.first_item().add(last).as_ptr(), self.first_item().add(slot).as_ptr(), 1);
            item
        };
        let header = self.header_mut();
        header.len -= 1;
        if header.len == 0 {
            header.hint = NO_HINT;
        }
        item
    }

    /// Gives memory back when the present items and one more fit a smaller size class; the one more keeps a page from
    /// moving to and fro at a border. Returns by how many bytes the page shrank.
    #[inline(always)]
    pub(super) fn shrink(&mut self) -> usize {
        let len = self.len();
        let wanted = if len == 0 { 0 } else { (len + 1).min(Self::MAX_LEN) };
        // Pages rarely shrink. This cheap test spares most removals the arithmetic of size classes: no class is less
        // than an eighth above the one below it.
        if wanted + wanted / 16 >= self.capacity() || Self::capacity_for(wanted) >= self.capacity() {
            return 0;
        }
        let before = self.bytes();
        self.reallocate(wanted);
        before - self.bytes()
    }

    /// Moves to an allocation that fits `wanted` items, at least as many as there are.
    fn reallocate(&mut self, wanted: usize) {
        debug_assert!(wanted >= self.len());
        let mut page = Self::with_capacity_for(wanted);
        page.take_from(self, 0);
        *self = page;
    }

    /// Moves the items from slot `at` on out of `other` to the end of this page, which has room for them. The hint
    /// then bounds both pages' items.
    fn take_from(&mut self, other: &mut Self, at: usize) {
        let (len, count) = (self.len(), other.len() - at);
        if count == 0 {
            return;
        }
        assert!(count <= self.capacity() - len);
        // SAFETY: `other` has `count` tags and items from `at` on, this page room for as many from `len` on, and two
        // owned pages are two allocations. The items are forgotten where they were by the new length of `other`.
        unsafe {
            other.tags().add(at).copy_to_nonoverlapping(self.tags().add(len), count);
            other.first_item().add(at).copy_to_nonoverlapping(self.first_item().add(len), count);
        }
        other.header_mut().len = at as u16;
        let hint = other.hint();
        let header = self.header_mut();
        header.len += count as u16;
        header.hint = header.hint.min(hint);
    }

    /// Takes the items that `goes` picks into a page of their own. Both pages then fit their items.
    pub(super) fn split(&mut self, mut goes: impl FnMut(&T) -> bool) -> Self {
        // Those that stay gather at the front. If `goes` panics, the page merely has another order.
        let mut stay = 0;
        for slot in 0..self.len() {
            if !goes(&self.items()[slot]) {
                self.swap(stay, slot);
                stay += 1;
            }
        }
        let mut page = Self::with_capacity_for(self.len() - stay);
        page.take_from(self, stay);
        self.fit();
        page
    }

    /// Takes all items of another page in.
    pub(super) fn append(&mut self, mut other: Self) {
        let len = self.len() + other.len();
        if Self::capacity_for(len) != self.capacity() {
            self.reallocate(len);
        }
        self.take_from(&mut other, 0);
    }

    /// Moves to the smallest size class that holds the items.
    pub(super) fn fit(&mut self) {
        if Self::capacity_for(self.len()) < self.capacity() {
            self.reallocate(self.len());
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        assert!(a < self.len() && b < self.len());
        if a != b {
            // SAFETY: both are tags of items, and they are not the same.
            unsafe { ptr::swap_nonoverlapping(self.tags().add(a).as_ptr(), self.tags().add(b).as_ptr(), 1) };
            self.items_mut().swap(a, b);
        }
    }
}

impl<T> Drop for Page<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer is to EMPTY or to an allocation of ours.
        let cap = unsafe { self.0.as_ref() }.cap as usize;
        if cap > 0 {
            // SAFETY: made by `alloc` with this layout, and nobody else has it.
            unsafe { dealloc(self.0.as_ptr().cast(), Self::layout(cap)) };
        }
    }
}
