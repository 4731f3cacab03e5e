//! A skiplist with ranks, in an arena: nodes are runs of 32-bit words, linked by the words' numbers.
//!
//! ```text
//! [level, whether the member is boxed, length of the member] [score: 2 words] [back] [next]
//! ([next on this level] [how many elements that is ahead]) for each level above the lowest
//! [member, or two words of a box's number]
//! ```
//!
//! Links are numbers of words, so that the arena can grow and be copied as it is. On the lowest level the next element
//! is always one ahead, which is not stored.

use crate::memory::good_size;
use crate::random::quick_random;

/// The number that stands for no node, and where a path begins for the list's head.
const NONE: u32 = 0;
/// Four to this power is far more than a list of 32-bit links can hold.
const MAX_LEVEL: usize = 16;
/// Words of a chunk of the arena.
const CHUNK: usize = 1 << 14;
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
    chunks: Vec<Vec<u32>>,
    /// By their number of words, the first of the blocks that are free; each names the next in its first word.
    free: Vec<u32>,
    /// Members that are too long for the arena.
    boxes: Vec<Box<[u8]>>,
    free_boxes: Vec<u32>,
    head: [(u32, u32); MAX_LEVEL],
    tail: u32,
    level: usize,
    len: usize,
}

/// The way to a place: on each level the last node before it, and that node's rank (the head's is 0).
struct Path {
    nodes: [u32; MAX_LEVEL],
    ranks: [u32; MAX_LEVEL],
}

impl SkipList {
    pub(super) fn new() -> SkipList {
        SkipList {
            // The first word is nobody's: its number means none.
            chunks: vec![vec![0]],
            free: Vec::new(),
            boxes: Vec::new(),
            free_boxes: Vec::new(),
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
        &self.chunks[link as usize / CHUNK][link as usize % CHUNK..]
    }

    #[inline]
    fn node_mut(&mut self, link: u32) -> &mut [u32] {
        &mut self.chunks[link as usize / CHUNK][link as usize % CHUNK..]
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
            return &self.boxes[node[at] as usize];
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
        let mut path = Path { nodes: [NONE; MAX_LEVEL], ranks: [0; MAX_LEVEL] };
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

    /// Inserts an element, which is not there yet. Returns its link.
    pub(super) fn insert(&mut self, score: f64, member: &[u8]) -> u32 {
        let path = self.path(|other, name| is_before(other, name, score, member));
        let mut level = 1;
        while level < MAX_LEVEL && quick_random() & 3 == 0 {
            level += 1;
        }
        while self.level < level {
            self.head[self.level] = (NONE, self.len as u32);
            self.level += 1;
        }
        let link = self.allocate(level, member);
        let back = path.nodes[0];
        let node = self.node_mut(link);
        set_score(node, score);
        node[BACK] = back;
        for number in 0..self.level {
            let before = path.nodes[number];
            let (next, span) = self.ahead(before, number);
            if number < level {
                let behind = path.ranks[0] - path.ranks[number];
                self.set_ahead(link, number, next, span - behind.min(span));
                self.set_ahead(before, number, link, behind + 1);
            } else {
                self.set_ahead(before, number, next, span + 1);
            }
        }
        match self.ahead(link, 0).0 {
            NONE => self.tail = link,
            next => self.node_mut(next)[BACK] = link,
        }
        self.len += 1;
        link
    }

    /// Removes an element.
    pub(super) fn remove(&mut self, link: u32) {
        let node = self.node(link);
        let (score, member) = (score_of(node), self.member_of(node));
        let path = self.path(|other, name| is_before(other, name, score, member));
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
        match next {
            NONE => self.tail = back,
            next => self.node_mut(next)[BACK] = back,
        }
        while self.level > 1 && self.head[self.level - 1].0 == NONE {
            self.level -= 1;
        }
        self.len -= 1;
        self.release(link);
    }

    /// Gives an element another score. Returns its link, which is another one if the element had to move.
    pub(super) fn set_score(&mut self, link: u32, score: f64) -> u32 {
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
            return link;
        }
        let member = member.to_vec();
        self.remove(link);
        self.insert(score, &member)
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

    fn allocate(&mut self, level: usize, member: &[u8]) -> u32 {
        let boxed = member.len() > MAX_INLINE;
        let words = words_of(level, if boxed { 4 } else { member.len() });
        let link = match self.free.get(words) {
            Some(&link) if link != NONE => {
                self.free[words] = self.node(link)[0];
                link
            }
            _ => self.extend(words),
        };
        let number = if boxed { self.put_box(member) } else { 0 };
        let node = &mut self.node_mut(link)[..words];
        node.fill(0);
        let at = UPPER + 2 * (level - 1);
        if boxed {
            node[0] = level as u32 | BOXED;
            node[at] = number;
        } else {
            node[0] = level as u32 | (member.len() as u32) << 16;
            bytemuck::cast_slice_mut(&mut node[at..])[..member.len()].copy_from_slice(member);
        }
        link
    }

    /// New words at the arena's end. A chunk that has no room for them stays as it is.
    fn extend(&mut self, words: usize) -> u32 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() + words > CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let number = self.chunks.len() - 1;
        let chunk = &mut self.chunks[number];
        let at = chunk.len();
        if at + words > chunk.capacity() {
            // Only the first one grows: the next are as large as they get.
            let wanted = (at + words + at / 4).min(CHUNK);
            chunk.reserve_exact(wanted - at);
        }
        chunk.resize(at + words, 0);
        u32::try_from(number * CHUNK + at).expect("an arena of less than 16 GiB")
    }

    fn put_box(&mut self, member: &[u8]) -> u32 {
        match self.free_boxes.pop() {
            Some(number) => {
                self.boxes[number as usize] = member.into();
                number
            }
            None => {
                self.boxes.push(member.into());
                self.boxes.len() as u32 - 1
            }
        }
    }

    fn release(&mut self, link: u32) {
        let node = self.node(link);
        let level = Self::level_of(node);
        let words = if node[0] & BOXED != 0 {
            let number = node[UPPER + 2 * (level - 1)];
            self.boxes[number as usize] = Box::default();
            self.free_boxes.push(number);
            words_of(level, 4)
        } else {
            words_of(level, (node[0] >> 16) as usize)
        };
        if self.free.len() <= words {
            self.free.resize(words + 1, NONE);
        }
        let next = std::mem::replace(&mut self.free[words], link);
        self.node_mut(link)[0] = next;
    }

    pub(super) fn memory(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(|chunk| good_size(chunk.capacity() * 4)).sum();
        let boxes: usize = self.boxes.iter().map(|member| good_size(member.len())).sum();
        chunks + boxes + good_size(self.boxes.capacity() * 16) + good_size(self.free.capacity() * 4)
    }
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
