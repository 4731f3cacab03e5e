//! A skiplist with ranks, in an arena: nodes are runs of 32-bit words, linked by the words' numbers.
//!
//! ```text
//! [level, whether the member is boxed, length of the member] [score: 2 words] [back] [next]
//! ([next on this level] [how many elements that is ahead]) for each level above the lowest
//! [member, or a box's number]
//! ```
//!
//! On the lowest level the next element is always one ahead, which is not stored.

use super::arena::{Arena, NONE};
use super::boxes::Boxes;
use crate::random::quick_random;

/// Four to this power is far more than a list of 32-bit links can hold.
const MAX_LEVEL: usize = 16;
/// Members longer than this have an allocation of their own.
const MAX_INLINE: usize = 1024;

const SCORE: usize = 1;
const BACK: usize = 3;
const NEXT: usize = 4;
const UPPER: usize = 5;

const BOXED: u32 = 1 << 8;

/// See the module's description.
#[derive(Clone)]
pub(super) struct SkipList {
    arena: Arena,
    /// Members that are too long for the arena.
    boxes: Boxes,
    head: [(u32, u32); MAX_LEVEL],
    tail: u32,
    level: usize,
    len: usize,
}

/// The way to a place: on each level the last node before it, and that node's rank (the head's is 0).
pub(super) struct Path {
    nodes: [u32; MAX_LEVEL],
    ranks: [u32; MAX_LEVEL],
}

impl Path {
    /// The way to the first place of all.
    pub(super) fn new() -> Path {
        Path { nodes: [NONE; MAX_LEVEL], ranks: [0; MAX_LEVEL] }
    }
}

impl SkipList {
    pub(super) fn new() -> SkipList {
        SkipList {
            arena: Arena::new(),
            boxes: Boxes::default(),
            head: [(NONE, 0); MAX_LEVEL],
            tail: NONE,
            level: 1,
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn node(&self, link: u32) -> &[u32] {
        self.arena.block(link)
    }

    #[inline]
    fn node_mut(&mut self, link: u32) -> &mut [u32] {
        self.arena.block_mut(link)
    }

    #[inline]
    fn level_of(node: &[u32]) -> usize {
        (node[0] & 0xff) as usize
    }

    #[inline]
    pub(super) fn score(&self, link: u32) -> f64 {
        score_of(self.node(link))
    }

    #[inline]
    pub(super) fn member(&self, link: u32) -> &[u8] {
        self.member_of(self.node(link))
    }

    #[inline]
    fn member_of<'a>(&'a self, node: &'a [u32]) -> &'a [u8] {
        let at = UPPER + 2 * (Self::level_of(node) - 1);
        if node[0] & BOXED != 0 {
            return self.boxes.member(node[at]);
        }
        &bytemuck::cast_slice(&node[at..])[..(node[0] >> 16) as usize]
    }

    /// The next node on a level, and how far ahead it is. `NONE` asks the head.
    #[inline]
    fn ahead(&self, link: u32, level: usize) -> (u32, u32) {
        if link == NONE {
            return if level == 0 { (self.head[0].0, 1) } else { self.head[level] };
        }
        let node = self.node(link);
        if level == 0 { (node[NEXT], 1) } else { (node[UPPER + 2 * level - 2], node[UPPER + 2 * level - 1]) }
    }

    fn set_ahead(&mut self, link: u32, level: usize, next: u32, span: u32) {
        if link == NONE {
            self.head[level] = (next, span);
            return;
        }
        let node = self.node_mut(link);
        if level == 0 {
            node[NEXT] = next;
        } else {
            (node[UPPER + 2 * level - 2], node[UPPER + 2 * level - 1]) = (next, span);
        }
    }

    /// The way to the first node that `before` does not hold for. It must hold for a beginning of the list.
    #[inline]
    fn path(&self, mut before: impl FnMut(f64, &[u8]) -> bool) -> Path {
        let mut path = Path::new();
        let (mut at, mut rank) = (NONE, 0);
        for level in (0..self.level).rev() {
            loop {
                let (next, span) = self.ahead(at, level);
                if next == NONE {
                    break;
                }
                let node = self.node(next);
                if !before(score_of(node), self.member_of(node)) {
                    break;
                }
                (at, rank) = (next, rank + span);
            }
            (path.nodes[level], path.ranks[level]) = (at, rank);
        }
        path
    }

    /// How many elements `before` holds for. It must hold for a beginning of the list.
    pub(super) fn partition_point(&self, before: impl FnMut(f64, &[u8]) -> bool) -> usize {
        self.path(before).ranks[0] as usize
    }

    /// Inserts an element, which is not there yet. Returns its link; `None` if the arena is full.
    pub(super) fn insert(&mut self, score: f64, member: &[u8]) -> Option<u32> {
        let mut path = self.path(|other, name| is_before(other, name, score, member));
        self.insert_at(&mut path, score, member)
    }

    /// As [`SkipList::insert`], where the place is known. The path then leads to the place behind the new element.
    pub(super) fn insert_at(&mut self, path: &mut Path, score: f64, member: &[u8]) -> Option<u32> {
        let mut level = 1;
        while level < MAX_LEVEL && quick_random() & 3 == 0 {
            level += 1;
        }
        let boxed = member.len() > MAX_INLINE;
        let link = self.arena.allocate(words_of(level, if boxed { BOX } else { member.len() }))?;
        let at = UPPER + 2 * (level - 1);
        if boxed {
            let number = self.boxes.add(member, link);
            let node = self.node_mut(link);
            (node[0], node[at]) = (level as u32 | BOXED, number);
        } else {
            let node = self.node_mut(link);
            node[0] = level as u32 | (member.len() as u32) << 16;
            bytemuck::cast_slice_mut(&mut node[at..])[..member.len()].copy_from_slice(member);
        }
        set_score(self.node_mut(link), score);
        self.link_at(path, link, level);
        Some(link)
    }

    fn link_at(&mut self, path: &mut Path, link: u32, level: usize) {
        while self.level < level {
            self.head[self.level] = (NONE, self.len as u32);
            self.level += 1;
        }
        self.node_mut(link)[BACK] = path.nodes[0];
        let rank = path.ranks[0];
        for number in 0..self.level {
            let before = path.nodes[number];
            let (next, span) = self.ahead(before, number);
            if number < level {
                let behind = rank - path.ranks[number];
                self.set_ahead(link, number, next, span - behind.min(span));
                self.set_ahead(before, number, link, behind + 1);
                (path.nodes[number], path.ranks[number]) = (link, rank + 1);
            } else {
                self.set_ahead(before, number, next, span + 1);
            }
        }
        self.set_back(self.ahead(link, 0).0, link);
        self.len += 1;
    }

    /// Removes an element.
    pub(super) fn remove(&mut self, link: u32) {
        self.unlink(link);
        let (header, words) = (self.node(link)[0], node_words(self.node(link)));
        if header & BOXED != 0 {
            let number = self.node(link)[UPPER + 2 * (Self::level_of(self.node(link)) - 1)];
            if let Some(owner) = self.boxes.remove(number) {
                self.set_box(owner, number);
            }
        }
        self.arena.release(link, words);
    }

    /// Tells a node that its box has got another number.
    fn set_box(&mut self, link: u32, number: u32) {
        let node = self.node_mut(link);
        let at = UPPER + 2 * (Self::level_of(node) - 1);
        node[at] = number;
    }

    fn unlink(&mut self, link: u32) {
        let path = self.path_to(link);
        for level in 0..self.level {
            let before = path.nodes[level];
            let (next, span) = self.ahead(before, level);
            if next == link {
                let (next, further) = self.ahead(link, level);
                self.set_ahead(before, level, next, span + further - 1);
            } else {
                self.set_ahead(before, level, next, span - 1);
            }
        }
        let (next, back) = (self.ahead(link, 0).0, self.node(link)[BACK]);
        self.set_back(next, back);
        while self.level > 1 && self.head[self.level - 1].0 == NONE {
            self.level -= 1;
        }
        self.len -= 1;
    }

    fn path_to(&self, link: u32) -> Path {
        let node = self.node(link);
        let (score, member) = (score_of(node), self.member_of(node));
        self.path(|other, name| is_before(other, name, score, member))
    }

    /// Gives an element another score. It keeps its link.
    pub(super) fn set_score(&mut self, link: u32, score: f64) {
        let node = self.node(link);
        let member = self.member_of(node);
        let back_stays = node[BACK] == NONE || {
            let back = self.node(node[BACK]);
            is_before(score_of(back), self.member_of(back), score, member)
        };
        let next_stays = node[NEXT] == NONE || {
            let next = self.node(node[NEXT]);
            is_before(score, member, score_of(next), self.member_of(next))
        };
        if back_stays && next_stays {
            set_score(self.node_mut(link), score);
            return;
        }
        self.unlink(link);
        set_score(self.node_mut(link), score);
        let mut path = self.path_to(link);
        let level = Self::level_of(self.node(link));
        self.link_at(&mut path, link, level);
    }

    /// Gives back what removed elements have left, if it has become much. Elements move: `moved` is told a member, its
    /// link so far and its new one.
    pub(super) fn tidy(&mut self, mut moved: impl FnMut(&[u8], u32, u32)) {
        while let Some(chunk) = self.arena.wasteful_chunk() {
            let nodes = self.arena.vacate(chunk, node_words);
            for from in nodes {
                // There is room: `wasteful_chunk` has seen to that.
                let Some(to) = self.arena.allocate(node_words(self.node(from))) else { return };
                self.relocate(from, to);
                moved(self.member(to), from, to);
            }
            self.arena.drop_chunk(chunk);
        }
    }

    fn relocate(&mut self, from: u32, to: u32) {
        let level = Self::level_of(self.node(from));
        if level == 1 {
            let (back, next) = (self.node(from)[BACK], self.node(from)[NEXT]);
            self.set_ahead(back, 0, to, 1);
            self.set_back(next, to);
        } else {
            let path = self.path_to(from);
            for number in 0..level {
                let before = path.nodes[number];
                let span = self.ahead(before, number).1;
                self.set_ahead(before, number, to, span);
            }
            self.set_back(self.node(from)[NEXT], to);
        }
        self.arena.copy(from, to, node_words(self.node(from)));
        let node = self.node(to);
        if node[0] & BOXED != 0 {
            let number = node[UPPER + 2 * (level - 1)];
            self.boxes.set_owner(number, to);
        }
    }

    /// Tells the element `next`, or the tail, what comes before it.
    fn set_back(&mut self, next: u32, back: u32) {
        match next {
            NONE => self.tail = back,
            next => self.node_mut(next)[BACK] = back,
        }
    }

    /// Whether more members, of these lengths, certainly have room.
    pub(super) fn has_room(&self, lengths: impl Iterator<Item = usize>) -> bool {
        // A node has less than one word of upper links on the average.
        let words = lengths.map(|len| UPPER + 1 + if len > MAX_INLINE { 1 } else { len.div_ceil(4) });
        self.arena.has_room(words.sum())
    }

    /// The element with a rank.
    pub(super) fn nth(&self, rank: usize) -> Option<u32> {
        if rank >= self.len {
            return None;
        }
        let (mut at, mut left) = (NONE, rank as u32 + 1);
        for level in (0..self.level).rev() {
            loop {
                let (next, span) = self.ahead(at, level);
                if next == NONE || span > left {
                    break;
                }
                (at, left) = (next, left - span);
            }
        }
        Some(at)
    }

    /// The elements from a rank on.
    pub(super) fn iter_from(&self, rank: usize) -> impl Iterator<Item = u32> {
        std::iter::successors(self.nth(rank), |link| Some(self.node(*link)[NEXT]).filter(|next| *next != NONE))
    }

    /// The elements from a rank back to the first.
    pub(super) fn iter_back_from(&self, rank: usize) -> impl Iterator<Item = u32> {
        let first = if rank + 1 == self.len { Some(self.tail) } else { self.nth(rank) };
        std::iter::successors(first, |link| Some(self.node(*link)[BACK]).filter(|back| *back != NONE))
    }

    pub(super) fn memory(&self) -> usize {
        self.arena.memory() + self.boxes.memory()
    }
}

/// Bytes of a box's number.
const BOX: usize = 4;

/// Words of a node, as its first word tells.
fn node_words(node: &[u32]) -> usize {
    let member = if node[0] & BOXED != 0 { BOX } else { (node[0] >> 16) as usize };
    words_of(SkipList::level_of(node), member)
}

/// Words of a node with so many levels and bytes of member.
fn words_of(level: usize, member: usize) -> usize {
    UPPER + 2 * (level - 1) + member.div_ceil(4)
}

#[inline]
fn score_of(node: &[u32]) -> f64 {
    f64::from_bits(u64::from(node[SCORE]) | u64::from(node[SCORE + 1]) << 32)
}

fn set_score(node: &mut [u32], score: f64) {
    let bits = score.to_bits();
    (node[SCORE], node[SCORE + 1]) = (bits as u32, (bits >> 32) as u32);
}

/// The order of elements: by score, then by member.
#[inline]
pub(super) fn is_before(score: f64, member: &[u8], other: f64, other_member: &[u8]) -> bool {
    score < other || score == other && member < other_member
}
