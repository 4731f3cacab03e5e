//! A run of neighbours in a sorted set: of each the link, and a key that tells its score within the run.
//!
//! A key is the distance of the score's order from the run's base, in steps of a power of two. Four bytes tell the scores
//! of a run apart almost as well as eight would (these cost 4.4 bytes more a member): neighbours' scores are close to
//! each other, or else a step need not be small. Where keys are equal, the elements themselves are compared. A score
//! that no key of the run expresses has all its keys made anew, with so much room on both sides that this is rare.

use smallvec::SmallVec;

use super::arena::NONE;
use super::elements::Elements;
use super::order::{Place, order_of};
use crate::memory::good_size;
use crate::table::prefetch;

/// Elements of a full run. With half as many, a large set takes a byte more per element, and searches a tenth more time.
/// Tests get by with few elements where runs are short.
pub(super) const MOST: usize = if cfg!(test) { 8 } else { 128 };
/// A run with fewer elements is joined with a neighbour, ...
pub(super) const SPARSE: usize = MOST / 4;
/// ... provided that so many are not exceeded.
pub(super) const JOINED: usize = MOST / 4 * 3;
/// Cells that a run may have too many before it gives them back.
const SPARE: usize = MOST / 8;

/// Cells that one prefetch loads.
const CELLS_OF_LINE: usize = 64 / size_of::<Cell>();

/// Keys that are made anew have so many bits.
const FRESH_BITS: u32 = if cfg!(test) { 12 } else { 28 };
/// The room that there is for keys.
const KEY_BITS: u32 = if cfg!(test) { 16 } else { u32::BITS };

/// See the module's description.
#[derive(Clone, Default)]
pub(super) struct Run {
    /// The tower that stands for this run, for the skiplist's use.
    pub(super) tower: u32,
    /// The link of the first element. Searches for members read it, and often nothing else of the run.
    first: u32,
    shift: u32,
    base: u64,
    cells: Vec<Cell>,
}

#[derive(Clone, Copy)]
struct Cell {
    key: u32,
    link: u32,
}

impl Run {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The link of the first element, if there is one.
    #[inline]
    pub(super) fn first(&self) -> Option<u32> {
        if self.first == NONE { None } else { Some(self.first) }
    }

    fn know_first(&mut self) {
        self.first = self.cells.first().map_or(NONE, |cell| cell.link);
    }

    /// Starts to load what a search reads.
    #[inline]
    fn prefetch(&self) {
        self.cells.chunks(CELLS_OF_LINE).for_each(|line| prefetch(line.as_ptr()));
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<u32> {
        self.cells.get(at).map(|cell| cell.link)
    }

    /// The links of some elements.
    pub(super) fn links(&self, from: usize, count: usize) -> SmallVec<[u32; MOST]> {
        self.cells.iter().skip(from).take(count).map(|cell| cell.link).collect()
    }

    /// Tells where an element has moved to.
    pub(super) fn set_link(&mut self, at: usize, link: u32) {
        self.cells[at].link = link;
        self.know_first();
    }

    fn key_of(&self, order: u64) -> Option<u32> {
        let key = order.checked_sub(self.base)? >> self.shift;
        if key >> KEY_BITS == 0 { Some(key as u32) } else { None }
    }

    /// The least and the greatest order that a key stands for.
    #[inline]
    fn orders_of(&self, key: u32) -> (u64, u64) {
        let least = self.base + (u64::from(key) << self.shift);
        (least, least.saturating_add((1 << self.shift) - 1))
    }

    /// How many elements lie before a place.
    #[inline]
    pub(super) fn search(&self, elements: &Elements, place: &mut impl Place) -> usize {
        self.prefetch();
        let end = self.cells.partition_point(|cell| place.reaches(self.orders_of(cell.key).0));
        let Some(Cell { key, .. }) = end.checked_sub(1).and_then(|last| self.cells.get(last)).copied() else {
            return 0;
        };
        let (least, greatest) = self.orders_of(key);
        if !place.divides(least, greatest) {
            return end;
        }
        let start = self.cells[..end].partition_point(|cell| cell.key < key);
        let equal = &self.cells[start..end];
        start + equal.partition_point(|cell| place.is_behind(elements.score(cell.link), elements.member(cell.link)))
    }

    /// Inserts an element.
    pub(super) fn insert(&mut self, at: usize, link: u32, elements: &Elements) {
        let key = self.key_of(order_of(elements.score(link)));
        if self.cells.len() == self.cells.capacity() {
            self.cells.reserve_exact(cells_for(self.cells.len() + 1) - self.cells.len());
        }
        self.cells.insert(at, Cell { key: key.unwrap_or(0), link });
        self.know_first();
        if key.is_none() {
            self.make_keys(elements);
        }
    }

    /// Notes that the score of an element is to change, if that leaves it between its neighbours, as their keys tell.
    pub(super) fn set_score(&mut self, at: usize, score: f64) -> bool {
        let Some(key) = self.key_of(order_of(score)) else { return false };
        let is_before =
            |other: Option<usize>| other.and_then(|at| self.cells.get(at)).is_some_and(|other| other.key < key);
        let is_behind = self.cells.get(at + 1).is_some_and(|other| other.key > key);
        let stays = is_before(at.checked_sub(1)) && is_behind;
        if stays {
            self.cells[at].key = key;
        }
        stays
    }

    /// Removes so many elements from one on.
    pub(super) fn remove(&mut self, at: usize, count: usize) {
        self.cells.drain(at..at + count);
        self.know_first();
        self.shrink(SPARE);
    }

    /// Cuts the elements from one on off.
    pub(super) fn split_off(&mut self, at: usize, elements: &Elements) -> Run {
        let mut cells = Vec::new();
        cells.reserve_exact(cells_for(self.len() - at));
        cells.extend_from_slice(&self.cells[at..]);
        let mut right = Run { cells, ..Run::default() };
        right.know_first();
        right.make_keys(elements);
        if at < self.len() {
            self.cells.truncate(at);
            self.know_first();
            self.shrink(0);
            self.make_keys(elements);
        }
        right
    }

    /// Takes over the elements of the next run.
    pub(super) fn absorb(&mut self, mut next: Run, elements: &Elements) {
        if self.cells.is_empty() {
            *self = Run { tower: self.tower, ..next };
            return;
        }
        let len = self.len() + next.len();
        if len > self.cells.capacity() {
            self.cells.reserve_exact(cells_for(len) - self.len());
        }
        self.cells.append(&mut next.cells);
        self.make_keys(elements);
    }

    /// Makes all keys anew.
    fn make_keys(&mut self, elements: &Elements) {
        let order = |cell: &Cell| order_of(elements.score(cell.link));
        let (Some(first), Some(last)) = (self.cells.first().map(order), self.cells.last().map(order)) else { return };
        self.base = first.saturating_sub(last.saturating_sub(first).saturating_mul(2));
        self.shift = (u64::BITS - last.saturating_sub(self.base).leading_zeros()).saturating_sub(FRESH_BITS);
        for cell in &mut self.cells {
            cell.key = (order(cell).saturating_sub(self.base) >> self.shift) as u32;
        }
    }

    fn shrink(&mut self, spare: usize) {
        if self.cells.capacity() > cells_for(self.len() + spare) {
            self.cells.shrink_to(cells_for(self.len()));
        }
    }

    pub(super) fn memory(&self) -> usize {
        if self.cells.capacity() == 0 { 0 } else { good_size(self.cells.capacity() * size_of::<Cell>()) }
    }
}

/// How many cells fit where so many need an allocation anyway.
fn cells_for(len: usize) -> usize {
    good_size(len * size_of::<Cell>()) / size_of::<Cell>()
}
