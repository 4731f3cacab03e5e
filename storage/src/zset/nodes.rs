//! The nodes of a skiplist, by their numbers. There are no gaps: where a node goes, the last one takes its number.

use super::run::Run;
use crate::memory::good_size;

/// The node that all ways begin at. It stays, even when it is empty.
pub(super) const HEAD: u32 = 0;
/// The number of no next node: the head is nobody's next.
pub(super) const NONE: u32 = HEAD;

/// Nodes of a chunk. The first one grows step by step.
const CHUNK: usize = if cfg!(test) { 4 } else { 64 };

/// A run and its tower.
#[derive(Clone)]
pub(super) struct Node {
    next: Ahead,
    /// The tower's levels above the lowest.
    upper: Box<[Ahead]>,
    run: Run,
}

/// What comes next on a level.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    /// At most the order of any score there, and at least that of any before. It stands here, not with the node, so
    /// that a search looks at no node that it does not go to.
    pub(super) order: u64,
    pub(super) node: u32,
    /// How many elements that is ahead. Where nothing comes next, how many there are to the end.
    pub(super) span: u32,
}

impl Ahead {
    fn nothing(span: u32) -> Ahead {
        Ahead { order: 0, node: NONE, span }
    }
}

impl Node {
    pub(super) fn new(run: Run, levels: usize) -> Node {
        Node { next: Ahead::nothing(0), upper: vec![Ahead::nothing(0); levels - 1].into(), run }
    }

    pub(super) fn levels(&self) -> usize {
        self.upper.len() + 1
    }

    #[inline]
    pub(super) fn ahead(&self, level: usize) -> &Ahead {
        if level == 0 { &self.next } else { &self.upper[level - 1] }
    }

    #[inline]
    pub(super) fn ahead_mut(&mut self, level: usize) -> &mut Ahead {
        if level == 0 { &mut self.next } else { &mut self.upper[level - 1] }
    }

    pub(super) fn run(&self) -> &Run {
        &self.run
    }

    /// Changes the height of the tower. On new levels nothing comes next before so many elements.
    fn set_levels(&mut self, levels: usize, span: u32) {
        let mut upper = std::mem::take(&mut self.upper).into_vec();
        upper.resize(levels - 1, Ahead::nothing(span));
        self.upper = upper.into();
    }

    /// Bytes behind the node.
    fn memory(&self) -> usize {
        let upper = if self.upper.is_empty() { 0 } else { good_size(size_of_val(&*self.upper)) };
        upper + self.run.memory()
    }
}

/// See the module's description.
pub(super) struct Nodes {
    chunks: Vec<Vec<Node>>,
    /// The bytes behind all nodes.
    behind: usize,
}

impl Nodes {
    /// An empty head.
    pub(super) fn new() -> Nodes {
        let mut nodes = Nodes { chunks: Vec::new(), behind: 0 };
        nodes.push(Node::new(Run::default(), 1));
        nodes
    }

    #[inline]
    pub(super) fn get(&self, number: u32) -> &Node {
        &self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }

    #[inline]
    pub(super) fn run(&self, number: u32) -> &Run {
        &self.get(number).run
    }

    #[inline]
    fn get_mut(&mut self, number: u32) -> &mut Node {
        &mut self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }

    /// What comes next after a node, to be changed.
    #[inline]
    pub(super) fn ahead_mut(&mut self, number: u32, level: usize) -> &mut Ahead {
        self.get_mut(number).ahead_mut(level)
    }

    /// Changes a node in ways that may change its memory.
    fn change<R>(&mut self, number: u32, change: impl FnOnce(&mut Node) -> R) -> R {
        let node = self.get_mut(number);
        let before = node.memory();
        let result = change(node);
        let after = node.memory();
        self.behind = self.behind + after - before;
        result
    }

    pub(super) fn change_run<R>(&mut self, number: u32, change: impl FnOnce(&mut Run) -> R) -> R {
        self.change(number, |node| change(&mut node.run))
    }

    /// How many levels there are: the head has all of them.
    #[inline]
    pub(super) fn levels(&self) -> usize {
        self.get(HEAD).levels()
    }

    /// Has the head have so many levels, on new ones of which nothing comes next.
    pub(super) fn set_levels(&mut self, levels: usize, span: u32) {
        self.change(HEAD, |head| head.set_levels(levels, span));
    }

    /// The number of the last node.
    pub(super) fn last(&self) -> u32 {
        let last = self.chunks.last().map_or(0, Vec::len);
        (self.chunks.len().saturating_sub(1) * CHUNK + last).saturating_sub(1) as u32
    }

    /// The number of a new node.
    pub(super) fn push(&mut self, node: Node) -> u32 {
        self.behind += node.memory();
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            let room = if self.chunks.is_empty() { 1 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            if chunk.len() == chunk.capacity() {
                chunk.reserve_exact((chunk.len() / 4 + 1).min(CHUNK - chunk.len()));
            }
            chunk.push(node);
        }
        self.last()
    }

    /// Removes a node, whose number the last one gets.
    pub(super) fn swap_remove(&mut self, number: u32) {
        let Some(last) = self.chunks.last_mut().and_then(Vec::pop) else { return };
        let place = self.chunks.get_mut(number as usize / CHUNK).and_then(|chunk| chunk.get_mut(number as usize % CHUNK));
        let removed = match place {
            Some(place) => std::mem::replace(place, last),
            None => last,
        };
        self.behind -= removed.memory();
        if self.chunks.pop_if(|chunk| chunk.is_empty()).is_some() && self.chunks.len() < self.chunks.capacity() / 4 {
            self.chunks.shrink_to(self.chunks.len() * 2);
        }
    }

    pub(super) fn memory(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(|chunk| good_size(chunk.capacity() * size_of::<Node>())).sum();
        chunks + good_size(self.chunks.capacity() * size_of::<Vec<Node>>()) + self.behind
    }
}

impl Clone for Nodes {
    fn clone(&self) -> Nodes {
        let chunks = self.chunks.clone();
        // The copies have no more room than they need.
        let behind = chunks.iter().flatten().map(Node::memory).sum();
        Nodes { chunks, behind }
    }
}
