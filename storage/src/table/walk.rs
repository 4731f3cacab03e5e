//! Going through a table: scans that survive growth, fair samples, and visits that change it.

use std::ops::Range;

use super::page::Page;
use super::{HASH_BITS, HashTable, PlainItem, Position};

impl<T: PlainItem> HashTable<T> {
    /// Shows `visit` the items of one page and returns the cursor of the next call; 0 begins a scan, and ends it.
    ///
    /// Whatever is in the table from the first call to the last is shown at least once, however the table grows and
    /// shrinks between the calls. For this, think of each item as standing on a line, at its hash's low 32 bits read
    /// backwards. A page holds the items whose hashes agree in some lowest bits, which read backwards are the highest:
    /// so each page is a stretch of the line, and all pages together cover it without gap or overlap, at any number of
    /// pages. A cursor is a point of the line (read backwards once more, so that small tables have small cursors). A
    /// call shows the page on whose stretch the point lies, and moves the point to the end of this stretch. An item's
    /// place never changes; the call that moves the point past it shows it. After pages were merged the point may lie
    /// inside a stretch, and items before it are shown again.
    ///
    /// Any number is accepted as a cursor. As the point only moves forward, every scan ends.
    pub fn scan(&self, cursor: u64, visit: impl FnMut(&T)) -> u64 {
        let Some((number, stretch)) = self.stretch(cursor) else { return 0 };
        self.pages[number].items().iter().for_each(visit);
        // Behind the last stretch the end has a bit more than a cursor, and ends as 0.
        u64::from((stretch.end as u32).reverse_bits())
    }

    /// As [`HashTable::scan`], for who counts in points of the line: the items of the page on whose stretch a point lies,
    /// and that stretch. `None` of an empty table and behind the end of the line.
    pub(crate) fn page_at(&self, point: u64) -> Option<(&[T], Range<u64>)> {
        let cursor = u32::try_from(point).ok()?.reverse_bits();
        let (number, stretch) = self.stretch(cursor.into())?;
        Some((self.pages[number].items(), stretch))
    }

    /// The page on whose stretch a cursor's point lies, and that stretch.
    fn stretch(&self, cursor: u64) -> Option<(usize, Range<u64>)> {
        let number = self.page_number(cursor);
        if number >= self.pages.len() {
            return None;
        }
        // This page has the hashes that agree in `bits` bits with its number.
        let pages = self.pages.len() as u64;
        let mut bits = u64::BITS - (pages - 1).leading_zeros();
        if bits > 0 && number as u64 + (1 << (bits - 1)) >= pages && (number as u64) < 1 << (bits - 1) {
            bits -= 1;
        }
        let start = u64::from((number as u32).reverse_bits());
        Some((number, start..start + (1 << (HASH_BITS - bits))))
    }

    /// An item, each with the same probability, or `None` of an empty table. `random` yields evenly distributed
    /// numbers.
    pub fn random(&self, random: impl FnMut() -> u64) -> Option<&T> {
        self.random_position(random).map(|position| self.at(position))
    }

    /// The position of an item, each with the same probability, or `None` of an empty table.
    pub fn random_position(&self, mut random: impl FnMut() -> u64) -> Option<Position> {
        if self.is_empty() {
            return None;
        }
        // Picks a place among as many as there would be if every page were as long as the longest, until an item is
        // there. Longer pages are hit more often, exactly as much as they hold more.
        let places = self.pages.len() as u64 * u64::from(self.longest);
        loop {
            let scaled = u128::from(random()) * u128::from(places);
            // The fractions below this one occur once too often.
            if (scaled as u64) < places.wrapping_neg() % places {
                continue;
            }
            let place = (scaled >> 64) as u64;
            let (page, slot) = (place / u64::from(self.longest), place % u64::from(self.longest));
            if (slot as usize) < self.pages[page as usize].len() {
                return Some(Position { page: page as u32, slot: slot as u16 });
            }
        }
    }

    /// All items, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(Page::items)
    }

    /// Shows all items to be changed. Their hashes must stay what they are.
    pub fn for_each_mut(&mut self, visit: impl FnMut(&mut T)) {
        self.pages.iter_mut().flat_map(Page::items_mut).for_each(visit);
    }

    /// Hands over all items and leaves the table empty.
    pub fn drain(&mut self, mut take: impl FnMut(T)) {
        let mut table = std::mem::take(self);
        for page in &mut table.pages {
            while let Some(last) = page.len().checked_sub(1) {
                take(page.swap_remove(last));
            }
        }
    }

    /// Hands over the items that `goes` picks and keeps the others.
    pub fn drain_filter(&mut self, mut goes: impl FnMut(&mut T) -> bool, mut take: impl FnMut(T)) {
        let mut pages_left = self.pages.len();
        while pages_left > 0 {
            pages_left -= 1;
            self.change_page(pages_left, |page| {
                for slot in (0..page.items().len()).rev() {
                    if goes(&mut page.items_mut()[slot]) {
                        take(page.remove(slot));
                    }
                }
            });
        }
        self.merge_pages();
    }

    /// The number of pages, for going through them by [`HashTable::visit_page`].
    pub fn page_count(&self) -> usize {
        self.pages.len()
    }

    /// The items of a page and its hint. A number beyond the last page is counted from the first one again.
    pub fn page_items(&self, number: usize) -> Option<(&[T], u32)> {
        let page = self.pages.get(number % self.pages.len().max(1))?;
        Some((page.items(), page.hint()))
    }

    /// Shows one page to be changed and returns the number of the next, or 0 after the last. A number beyond the last
    /// counts as 0. As pages come and go with the items, a round of visits may miss some items, the next one will not.
    pub fn visit_page(&mut self, number: usize, visit: impl FnOnce(&mut PageView<'_, T>)) -> usize {
        if self.is_empty() {
            return 0;
        }
        let number = if number < self.pages.len() { number } else { 0 };
        self.change_page(number, visit);
        self.merge_pages();
        if number + 1 < self.pages.len() { number + 1 } else { 0 }
    }

    /// Lets `visit` change a page, and keeps the books even if it panics.
    fn change_page(&mut self, number: usize, visit: impl FnOnce(&mut PageView<'_, T>)) {
        let HashTable { pages, len, page_bytes, .. } = self;
        visit(&mut PageView { page: &mut pages[number], table_len: len });
        *page_bytes -= pages[number].shrink();
    }
}

/// A page of a table during [`HashTable::visit_page`].
pub struct PageView<'a, T> {
    page: &'a mut Page<T>,
    table_len: &'a mut usize,
}

impl<T: PlainItem> PageView<'_, T> {
    /// The page's hint; [`super::NO_HINT`] if none was set.
    pub fn hint(&self) -> u32 {
        self.page.hint()
    }

    /// Sets the hint, to a lower bound for the items that the page holds.
    pub fn set_hint(&mut self, hint: u32) {
        self.page.set_hint(hint);
    }

    /// The items of the page.
    pub fn items(&self) -> &[T] {
        self.page.items()
    }

    /// The items of the page, to be changed. Their hashes must stay what they are.
    pub fn items_mut(&mut self) -> &mut [T] {
        self.page.items_mut()
    }

    /// Takes out the item of a slot; the last item of the page takes its slot.
    pub fn remove(&mut self, slot: usize) -> T {
        let item = self.page.swap_remove(slot);
        *self.table_len -= 1;
        item
    }
}
