//! A skiplist with ranks, unrolled: its nodes are runs of neighbours.
//!
//! A search goes along the towers, which are few enough to stay in the processor's caches, then looks through the keys
//! of one run, and visits elements only where scores are equal or almost so. (With a node for each element, twenty or
//! more of these would be visited, each somewhere else in memory.) A link knows the least order of scores from there on,
//! which stays as it is when elements go.

use super::elements::Elements;
use super::nodes::{HEAD, NONE, Ahead, Node, Nodes};
use super::order::{Place, PlaceBehind, PlaceOf, order_of};
use super::run::{JOINED, MOST, Run, SPARSE};
use crate::random::quick_random;

/// Four to this power is more runs than 32-bit links can fill.
const MAX_LEVEL: usize = 16;

/// See the module's description.
#[derive(Clone)]
pub(super) struct SkipList {
    elements: Elements,
    nodes: Nodes,
    len: usize,
}

/// The way to a node: on each level the last node that is not behind it, and how many elements come before that one.
#[derive(Clone)]
pub(super) struct Path {
    nodes: [u32; MAX_LEVEL],
    ranks: [u32; MAX_LEVEL],
    /// At most the order of any score in the node, unless it is the head.
    order: u64,
}

impl Path {
    /// The way to the head.
    pub(super) fn new() -> Path {
        Path { nodes: [HEAD; MAX_LEVEL], ranks: [0; MAX_LEVEL], order: 0 }
    }

    #[inline]
    fn node(&self) -> u32 {
        self.nodes[0]
    }

    #[inline]
    fn rank(&self) -> usize {
        self.ranks[0] as usize
    }
}

impl SkipList {
    pub(super) fn new() -> SkipList {
        SkipList { elements: Elements::new(), nodes: Nodes::new(), len: 0 }
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

    /// The way to the last node that `onward` leads to, which is told what comes next and its rank.
    #[inline]
    fn descend(&self, mut onward: impl FnMut(&Ahead, u32) -> bool) -> Path {
        let mut path = Path::new();
        let (mut at, mut rank) = (HEAD, 0);
        let mut node = self.nodes.get(at);
        for level in (0..self.nodes.levels()).rev() {
            loop {
                let ahead = node.ahead(level);
                if ahead.node == NONE || !onward(ahead, rank + ahead.span) {
                    break;
                }
                (at, rank, path.order) = (ahead.node, rank + ahead.span, ahead.order);
                node = self.nodes.get(at);
            }
            (path.nodes[level], path.ranks[level]) = (at, rank);
        }
        path
    }

    /// Whether a condition holds for the first element of a node.
    #[inline]
    fn first_is(&self, node: u32, condition: impl FnOnce(f64, &[u8]) -> bool) -> bool {
        self.nodes.run(node).get(0).is_some_and(|link| condition(self.score(link), self.member(link)))
    }

    /// The way to the node that a place is in or at the end of, and how many of its elements come before the place.
    #[inline]
    fn find(&self, place: &mut impl Place) -> (Path, usize) {
        let mut path = self.descend(|ahead, _| place.reaches(ahead.order));
        let order = path.order;
        let divided = path.node() != HEAD && place.divides(order, order);
        let mut is_from = |node| self.first_is(node, |score, member| place.is_from(score, member));
        if divided && !is_from(path.node()) {
            // The place is further to the front, but behind what has lower scores.
            path = self.descend(|ahead, _| ahead.order < order || ahead.order == order && is_from(ahead.node));
        }
        let at = self.nodes.run(path.node()).search(&self.elements, place);
        (path, at)
    }

    fn place_of(&self, link: u32) -> PlaceOf<'_> {
        PlaceOf::new(self.score(link), self.member(link))
    }

    /// The way to the node of an element, and its number there.
    fn find_element(&self, link: u32) -> (Path, usize) {
        self.find(&mut self.place_of(link))
    }

    /// The way to the node in front of this one, which is not the head.
    fn path_before(&self, node: u32) -> Path {
        let Some(first) = self.nodes.run(node).get(0) else { return Path::new() };
        let (order, mut place) = (order_of(self.score(first)), self.place_of(first));
        let mut is_behind = |node| self.first_is(node, |score, member| place.is_behind(score, member));
        self.descend(|ahead, _| {
            ahead.node != node && (ahead.order < order || ahead.order == order && is_behind(ahead.node))
        })
    }

    /// The way to the node of the element with a rank, or to the last one.
    fn path_to_rank(&self, rank: usize) -> Path {
        self.descend(|_, ahead| ahead as usize <= rank)
    }

    /// How many elements `before` holds for. It must hold for a beginning of the list, and for no element whose member
    /// were empty unless it held for those with lower scores.
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
        self.insert_at(end, self.nodes.run(end.node()).len(), link);
        Some(link)
    }

    /// Inserts an element into the node that the path leads to. It then leads to the node where the element is.
    fn insert_at(&mut self, path: &mut Path, mut at: usize, link: u32) {
        if self.nodes.run(path.node()).len() == MOST {
            let split = self.split_point(path.node(), at);
            let run = self.nodes.change_run(path.node(), |run| run.split_off(split, &self.elements));
            let first = run.get(0).unwrap_or(link);
            let behind = self.link_behind(path, run, order_of(self.score(first)));
            if at > split || at == MOST {
                (*path, at) = (behind, at - split);
            }
        }
        let elements = &self.elements;
        self.nodes.change_run(path.node(), |run| run.insert(at, link, elements));
        for level in 0..self.nodes.levels() {
            self.nodes.ahead_mut(path.nodes[level], level).span += 1;
        }
        self.len += 1;
    }

    /// Where to split a full run for a new element: in the middle, but at the ends of the list, where others are
    /// likely to follow, so that it stays full.
    fn split_point(&self, node: u32, at: usize) -> usize {
        let is_last = self.nodes.get(node).ahead(0).node == NONE;
        match at {
            MOST if is_last => MOST,
            0 if node == HEAD => 0,
            _ => MOST / 2,
        }
    }

    /// Links a run that was cut off the end of the node that the path leads to. Returns the way to it.
    fn link_behind(&mut self, path: &mut Path, run: Run, order: u64) -> Path {
        let mut levels = 1;
        while levels < MAX_LEVEL && quick_random() & 3 == 0 {
            levels += 1;
        }
        if self.nodes.levels() < levels {
            self.nodes.set_levels(levels, self.len as u32);
        }
        let rank = path.ranks[0] + self.nodes.run(path.node()).len() as u32;
        let number = self.nodes.push(Node::new(run, levels));
        let mut behind = path.clone();
        behind.order = order;
        for level in 0..levels {
            let span = rank - path.ranks[level];
            let before = self.nodes.ahead_mut(path.nodes[level], level);
            let next = Ahead { span: before.span - span, ..*before };
            *before = Ahead { order, node: number, span };
            *self.nodes.ahead_mut(number, level) = next;
            (behind.nodes[level], behind.ranks[level]) = (number, rank);
        }
        behind
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
            let links = self.nodes.run(path.node()).links(at, left);
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

    /// Takes so many elements out of the node that the path leads to.
    fn unlink(&mut self, path: &Path, at: usize, count: usize) {
        self.nodes.change_run(path.node(), |run| run.remove(at, count));
        for level in 0..self.nodes.levels() {
            self.nodes.ahead_mut(path.nodes[level], level).span -= count as u32;
        }
        self.len -= count;
        if self.nodes.run(path.node()).len() < SPARSE {
            self.join(path);
        }
    }

    /// Joins the node that the path leads to with one of its neighbours, if they go together well.
    fn join(&mut self, path: &Path) {
        let len = |node| self.nodes.run(node).len();
        let together = |one: usize, other: usize| one == 0 || other == 0 || one + other <= JOINED;
        let here = len(path.node());
        let next = self.nodes.get(path.node()).ahead(0).node;
        if next != NONE && together(here, len(next)) {
            self.absorb_next(path);
        } else if path.node() != HEAD {
            let before = self.path_to_rank(path.rank().saturating_sub(1));
            if together(here, len(before.node())) {
                self.absorb_next(&before);
            }
        }
    }

    /// Has the node that the path leads to take over the elements of the next one, which goes.
    fn absorb_next(&mut self, path: &Path) {
        let next = self.nodes.get(path.node()).ahead(0).node;
        for level in 0..self.nodes.get(next).levels() {
            let ahead = *self.nodes.get(next).ahead(level);
            let before = self.nodes.ahead_mut(path.nodes[level], level);
            *before = Ahead { span: before.span + ahead.span, ..ahead };
        }
        let run = self.nodes.change_run(next, std::mem::take);
        let elements = &self.elements;
        self.nodes.change_run(path.node(), |into| into.absorb(run, elements));
        let last = self.nodes.last();
        if next != last {
            let path = self.path_before(last);
            for level in 0..self.nodes.get(last).levels() {
                self.nodes.ahead_mut(path.nodes[level], level).node = next;
            }
        }
        self.nodes.swap_remove(next);
        let mut levels = self.nodes.levels();
        while levels > 1 && self.nodes.get(HEAD).ahead(levels - 1).node == NONE {
            levels -= 1;
        }
        if levels < self.nodes.levels() {
            self.nodes.set_levels(levels, 0);
        }
    }

    /// Gives an element another score. It keeps its link.
    pub(super) fn set_score(&mut self, link: u32, score: f64) {
        let (path, at) = self.find_element(link);
        if self.nodes.change_run(path.node(), |run| run.set_score(at, score)) {
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
                self.nodes.change_run(path.node(), |run| run.set_link(at, to));
                moved(self.member(to), from, to);
            }
            self.elements.drop_chunk(chunk);
        }
    }

    /// Whether more members, of these lengths, certainly have room.
    pub(super) fn has_room(&self, lengths: impl Iterator<Item = usize>) -> bool {
        self.elements.has_room(lengths)
    }

    /// The elements from a rank on.
    pub(super) fn iter_from(&self, rank: usize) -> impl Iterator<Item = u32> {
        let path = self.path_to_rank(rank);
        let (mut node, mut at) = (self.nodes.get(path.node()), rank - path.rank());
        let mut ahead = Lookahead::new();
        std::iter::from_fn(move || {
            loop {
                if let Some(link) = node.run().get(at) {
                    ahead.step(|steps| node.run().get(at + steps), &self.elements);
                    at += 1;
                    return Some(link);
                }
                let next = node.ahead(0).node;
                if next == NONE {
                    return None;
                }
                (node, at) = (self.nodes.get(next), 0);
                ahead.restart();
            }
        })
    }

    /// The elements from a rank back to the first.
    pub(super) fn iter_back_from(&self, rank: usize) -> impl Iterator<Item = u32> {
        let path = self.path_to_rank(rank);
        let (mut run, mut start) = (self.nodes.run(path.node()), path.rank());
        // How many elements of the run are left.
        let mut left = if rank < self.len { rank + 1 - start } else { 0 };
        let mut ahead = Lookahead::new();
        std::iter::from_fn(move || {
            if left == 0 && start > 0 {
                let path = self.path_to_rank(start - 1);
                (run, left) = (self.nodes.run(path.node()), start - path.rank());
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
        self.elements.memory() + self.nodes.memory()
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
