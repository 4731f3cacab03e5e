//! A skiplist with ranks, unrolled: its nodes are runs of neighbours.
//!
//! A search goes along the towers, which are few enough to stay in the processor's caches, then looks through the keys
//! of one run, and visits elements only where scores are equal or almost so. (With a node for each element, twenty or
//! more of these would be visited, each somewhere else in memory.) A link knows the least order of scores from there on,
//! which stays as it is when elements go.

use super::elements::Elements;
use super::order::{Place, PlaceBehind, PlaceOf, order_of};
use super::run::{JOINED, MOST, Run, SPARSE};
use super::runs::Runs;
use super::towers::{Ahead, HEAD, Towers};
use crate::random::quick_random;

/// Two to this power is more runs than elements with 32-bit links can fill.
const MAX_LEVEL: usize = 26;

/// See the module's description.
#[derive(Clone)]
pub(super) struct SkipList {
    elements: Elements,
    /// The run with the number 0 is the head's, which stays even when it is empty.
    runs: Runs,
    towers: Towers,
    len: usize,
}

/// The way to a run: on each level the last tower that is not behind it, and how many elements come before that one.
#[derive(Clone)]
pub(super) struct Path {
    towers: [u32; MAX_LEVEL],
    ranks: [u32; MAX_LEVEL],
    /// At most the order of any score in the run, unless it is the head's.
    order: u64,
}

impl Path {
    /// The way to the head.
    pub(super) fn new() -> Path {
        Path { towers: [HEAD; MAX_LEVEL], ranks: [0; MAX_LEVEL], order: 0 }
    }

    #[inline]
    fn tower(&self) -> u32 {
        self.towers[0]
    }

    #[inline]
    fn rank(&self) -> usize {
        self.ranks[0] as usize
    }
}

impl SkipList {
    pub(super) fn new() -> SkipList {
        let mut runs = Runs::default();
        runs.push(Run::default());
        SkipList { elements: Elements::new(), runs, towers: Towers::new(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn score(&self, link: u32) -> f64 {
        self.elements.score(link)
    }

    #[inline]
    pub(super) fn member(&self, link: u32) -> &[u8] {
        self.elements.member(link)
    }

    /// Starts to load an element.
    pub(super) fn prefetch(&self, link: u32) {
        self.elements.prefetch(link);
    }

    /// The run that a tower stands for.
    #[inline]
    fn run(&self, tower: u32) -> &Run {
        self.runs.get(self.towers.run(tower))
    }

    #[inline]
    fn change_run<R>(&mut self, tower: u32, change: impl FnOnce(&mut Run, &Elements) -> R) -> R {
        self.runs.change(self.towers.run(tower), |run| change(run, &self.elements))
    }

    /// The way to the last run that `onward` leads to, which is told what comes next and its rank.
    #[inline]
    fn descend(&self, mut onward: impl FnMut(Ahead, u32) -> bool) -> Path {
        let mut path = Path::new();
        let (mut at, mut rank) = (HEAD, 0);
        for level in (0..self.towers.levels()).rev() {
            loop {
                let ahead = self.towers.ahead(at, level);
                if ahead.tower == HEAD || !onward(ahead, rank + ahead.span) {
                    break;
                }
                (at, rank, path.order) = (ahead.tower, rank + ahead.span, ahead.order);
            }
            (path.towers[level], path.ranks[level]) = (at, rank);
        }
        path
    }

    /// Whether a condition holds for the first element of a run.
    #[inline]
    fn first_is(&self, tower: u32, condition: impl FnOnce(f64, &[u8]) -> bool) -> bool {
        self.run(tower).first().is_some_and(|link| condition(self.score(link), self.member(link)))
    }

    /// The way to the run that a place is in or at the end of, and how many of its elements come before the place.
    #[inline]
    fn find(&self, place: &mut impl Place) -> (Path, usize) {
        let mut path = self.descend(|ahead, _| place.reaches(ahead.order));
        let order = path.order;
        let divided = path.tower() != HEAD && place.divides(order, order);
        let mut is_from = |tower| self.first_is(tower, |score, member| place.is_from(score, member));
        if divided && !is_from(path.tower()) {
            // The place is further to the front, but behind what has lower scores.
            path = self.descend(|ahead, _| ahead.order < order || ahead.order == order && is_from(ahead.tower));
        }
        let at = self.run(path.tower()).search(&self.elements, place);
        (path, at)
    }

    fn place_of(&self, link: u32) -> PlaceOf<'_> {
        PlaceOf::new(self.score(link), self.member(link))
    }

    /// The way to the run of an element, and its number there.
    fn find_element(&self, link: u32) -> (Path, usize) {
        self.find(&mut self.place_of(link))
    }

    /// The way to what is in front of a tower.
    fn path_before(&self, tower: u32) -> Path {
        let Some(first) = self.run(tower).first() else { return Path::new() };
        let (order, mut place) = (order_of(self.score(first)), self.place_of(first));
        let mut is_behind = |tower| self.first_is(tower, |score, member| place.is_behind(score, member));
        self.descend(|ahead, _| {
            ahead.tower != tower && (ahead.order < order || ahead.order == order && is_behind(ahead.tower))
        })
    }

    /// The way to the run of the element with a rank, or to the last one.
    fn path_to_rank(&self, rank: usize) -> Path {
        self.descend(|_, ahead| ahead as usize <= rank)
    }

    /// How many elements `before` holds for. It must hold for a beginning of the list, and would have to if the list had
    /// the empty member too, with any of its scores: it is asked about that, which needs no element to be visited.
    pub(super) fn partition_point(&self, before: impl FnMut(f64, &[u8]) -> bool) -> usize {
        let (path, at) = self.find(&mut PlaceBehind(before));
        path.rank() + at
    }

    /// How many elements come before this one.
    pub(super) fn rank(&self, link: u32) -> usize {
        let (path, at) = self.find_element(link);
        path.rank() + at
    }

    /// Inserts an element, which is not there yet. Returns its link; `None` if the arena is full.
    pub(super) fn insert(&mut self, score: f64, member: &[u8]) -> Option<u32> {
        let link = self.elements.add(score, member)?;
        let (mut path, at) = self.find(&mut PlaceOf::new(score, member));
        self.insert_at(&mut path, at, link);
        Some(link)
    }

    /// As [`SkipList::insert`], behind everything else, where the path leads. It then leads there again.
    pub(super) fn append(&mut self, end: &mut Path, score: f64, member: &[u8]) -> Option<u32> {
        let link = self.elements.add(score, member)?;
        let at = self.run(end.tower()).len();
        self.insert_at(end, at, link);
        Some(link)
    }

    /// Inserts an element into the run that the path leads to. It then leads to the run where the element is.
    fn insert_at(&mut self, path: &mut Path, mut at: usize, link: u32) {
        if self.run(path.tower()).len() >= MOST {
            let split = self.split_point(path.tower(), at);
            // Without room for another tower, the run is longer than it should be.
            if let Some(behind) = self.split(path, split, order_of(self.score(link)))
                && (at > split || split == MOST)
            {
                (*path, at) = (behind, at - split);
            }
        }
        self.change_run(path.tower(), |run, elements| run.insert(at, link, elements));
        for level in 0..self.towers.levels() {
            self.towers.change_span(path.towers[level], level, |span| span + 1);
        }
        self.len += 1;
    }

    /// Where to split a full run for a new element: in the middle, but at the ends of the list, where others are
    /// likely to follow, so that it stays full.
    fn split_point(&self, tower: u32, at: usize) -> usize {
        let is_last = self.towers.ahead(tower, 0).tower == HEAD;
        match at {
            MOST if is_last => MOST,
            0 if tower == HEAD => 0,
            _ => MOST / 2,
        }
    }

    /// Makes a run of its own of the elements of the path's run from one on. Where these are none, it is for scores from
    /// `order` on. Returns the way to it; `None` if there is no room for its tower.
    fn split(&mut self, path: &Path, at: usize, order: u64) -> Option<Path> {
        // Every second tower has another level. With every fourth, as usual, a search would go to half as many towers more,
        // to save a tenth of a byte per element.
        let mut levels = 1;
        while levels < MAX_LEVEL && quick_random() & 1 == 0 {
            levels += 1;
        }
        let tower = self.towers.add(levels, self.len as u32)?;
        let mut run = self.change_run(path.tower(), |run, elements| run.split_off(at, elements));
        let order = run.first().map_or(order, |first| order_of(self.score(first)));
        run.tower = tower;
        let number = self.runs.push(run);
        self.towers.set_run(tower, number);
        let rank = path.ranks[0] + at as u32;
        let mut behind = Path { order, ..path.clone() };
        for level in 0..levels {
            let (before, span) = (path.towers[level], rank - path.ranks[level]);
            let next = self.towers.ahead(before, level);
            self.towers.set_ahead(before, level, Ahead { order, tower, span });
            self.towers.set_ahead(tower, level, Ahead { span: next.span - span, ..next });
            (behind.towers[level], behind.ranks[level]) = (tower, rank);
        }
        Some(behind)
    }

    /// Removes an element.
    pub(super) fn remove(&mut self, link: u32) {
        let (path, at) = self.find_element(link);
        self.unlink(&path, at, 1);
        self.elements.remove(link);
    }

    /// Removes so many elements from a rank on. `gone` is told their members and links.
    pub(super) fn remove_range(&mut self, rank: usize, count: usize, mut gone: impl FnMut(&[u8], u32)) {
        let end = rank.saturating_add(count).min(self.len);
        let mut left = end.saturating_sub(rank);
        while left > 0 {
            let path = self.path_to_rank(rank);
            let at = rank - path.rank();
            let links = self.run(path.tower()).links(at, left);
            if links.is_empty() {
                return;
            }
            links.iter().for_each(|link| self.elements.prefetch(*link));
            self.unlink(&path, at, links.len());
            left -= links.len();
            for link in links {
                gone(self.elements.member(link), link);
                self.elements.remove(link);
            }
        }
    }

    /// Takes so many elements out of the run that the path leads to.
    fn unlink(&mut self, path: &Path, at: usize, count: usize) {
        self.change_run(path.tower(), |run, _| run.remove(at, count));
        for level in 0..self.towers.levels() {
            self.towers.change_span(path.towers[level], level, |span| span - count as u32);
        }
        self.len -= count;
        if self.run(path.tower()).len() < SPARSE {
            self.join(path);
        }
    }

    /// Joins the run that the path leads to with one of its neighbours, if they go together well.
    fn join(&mut self, path: &Path) {
        let go_together = |one: u32, other: u32| {
            let (one, other) = (self.run(one).len(), self.run(other).len());
            one == 0 || other == 0 || one + other <= JOINED
        };
        let next = self.towers.ahead(path.tower(), 0).tower;
        if next != HEAD && go_together(path.tower(), next) {
            self.absorb_next(path);
        } else if path.tower() != HEAD {
            let before = self.path_to_rank(path.rank().saturating_sub(1));
            if go_together(before.tower(), path.tower()) {
                self.absorb_next(&before);
            }
        }
    }

    /// Has the run that the path leads to take over the elements of the next one, which goes.
    fn absorb_next(&mut self, path: &Path) {
        let next = self.towers.ahead(path.tower(), 0).tower;
        for level in 0..self.towers.levels_of(next) {
            let (before, behind) = (self.towers.ahead(path.towers[level], level), self.towers.ahead(next, level));
            self.towers.set_ahead(path.towers[level], level, Ahead { span: before.span + behind.span, ..behind });
        }
        let run = self.change_run(next, |run, _| std::mem::take(run));
        self.change_run(path.tower(), |into, elements| into.absorb(run, elements));
        let number = self.towers.run(next);
        if let Some(moved) = self.runs.swap_remove(number) {
            self.towers.set_run(moved.tower, number);
        }
        self.towers.remove(next);
    }

    /// Gives an element another score. It keeps its link.
    pub(super) fn set_score(&mut self, link: u32, score: f64) {
        let (path, at) = self.find_element(link);
        if self.change_run(path.tower(), |run, _| run.set_score(at, score)) {
            return self.elements.set_score(link, score);
        }
        self.unlink(&path, at, 1);
        self.elements.set_score(link, score);
        let (mut path, at) = self.find_element(link);
        self.insert_at(&mut path, at, link);
    }

    /// Gives back what removed elements have left, if it has become much. Elements move: `moved` is told a member, its
    /// link so far and its new one.
    pub(super) fn tidy(&mut self, mut moved: impl FnMut(&[u8], u32, u32)) {
        while let Some(chunk) = self.elements.wasteful_chunk() {
            for from in self.elements.vacate(chunk) {
                let (path, at) = self.find_element(from);
                let Some(to) = self.elements.relocate(from) else { return };
                self.change_run(path.tower(), |run, _| run.set_link(at, to));
                moved(self.member(to), from, to);
            }
            self.elements.drop_chunk(chunk);
        }
        while let Some(chunk) = self.towers.wasteful_chunk() {
            for from in self.towers.vacate(chunk) {
                let path = self.path_before(from);
                let Some(to) = self.towers.relocate(from) else { return };
                for level in 0..self.towers.levels_of(to) {
                    let ahead = self.towers.ahead(path.towers[level], level);
                    self.towers.set_ahead(path.towers[level], level, Ahead { tower: to, ..ahead });
                }
                self.change_run(to, |run, _| run.tower = to);
            }
            self.towers.drop_chunk(chunk);
        }
    }

    /// Whether more members, of these lengths, certainly have room.
    pub(super) fn has_room(&self, lengths: impl Iterator<Item = usize>) -> bool {
        self.elements.has_room(lengths)
    }

    /// The elements from a rank on.
    pub(super) fn iter_from(&self, rank: usize) -> impl Iterator<Item = u32> {
        let path = self.path_to_rank(rank);
        let (mut tower, mut run, mut at) = (path.tower(), self.run(path.tower()), rank - path.rank());
        let mut ahead = Lookahead::new();
        std::iter::from_fn(move || {
            loop {
                if let Some(link) = run.get(at) {
                    ahead.step(|steps| run.get(at + steps), &self.elements);
                    at += 1;
                    return Some(link);
                }
                let next = self.towers.ahead(tower, 0).tower;
                if next == HEAD {
                    return None;
                }
                (tower, run, at) = (next, self.run(next), 0);
                ahead.restart();
            }
        })
    }

    /// The elements from a rank back to the first.
    pub(super) fn iter_back_from(&self, rank: usize) -> impl Iterator<Item = u32> {
        let path = self.path_to_rank(rank);
        let (mut run, mut start) = (self.run(path.tower()), path.rank());
        // How many elements of the run are left.
        let mut left = if rank < self.len { rank + 1 - start } else { 0 };
        let mut ahead = Lookahead::new();
        std::iter::from_fn(move || {
            if left == 0 && start > 0 {
                let path = self.path_to_rank(start - 1);
                (run, left) = (self.run(path.tower()), start - path.rank());
                start = path.rank();
                ahead.restart();
            }
            let link = run.get(left.checked_sub(1)?)?;
            ahead.step(|steps| run.get(left.checked_sub(1 + steps)?), &self.elements);
            left -= 1;
            Some(link)
        })
    }

    pub(super) fn memory(&self) -> usize {
        self.elements.memory() + self.runs.memory() + self.towers.memory()
    }
}

/// Loads elements of a run before their turn comes: ever more at a time, since it may be one that is wanted or hundreds.
struct Lookahead {
    /// How many elements to be ahead, ...
    wanted: usize,
    /// ... and how many it are.
    loaded: usize,
}

impl Lookahead {
    const FIRST: usize = 2;
    const MOST: usize = 12;

    fn new() -> Lookahead {
        Lookahead { wanted: 0, loaded: 0 }
    }

    /// In another run.
    fn restart(&mut self) {
        self.loaded = 0;
    }

    /// One step. `link` tells an element's link by how many steps it is ahead.
    #[inline]
    fn step(&mut self, link: impl Fn(usize) -> Option<u32>, elements: &Elements) {
        while self.loaded < self.wanted
            && let Some(link) = link(self.loaded + 1)
        {
            elements.prefetch(link);
            self.loaded += 1;
        }
        self.loaded = self.loaded.saturating_sub(1);
        self.wanted = (self.wanted * 2).clamp(Self::FIRST, Self::MOST);
    }
}

#[cfg(test)]
mod tests;
