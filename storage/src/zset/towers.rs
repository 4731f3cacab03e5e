//! The towers of a skiplist: each is a block of an arena, found by its number, and stands for a run.
//!
//! ```text
//! [levels] [the run's number] ([order: 2 words] [tower] [span] of what comes next, for each level)
//! ```

use super::arena::Arena;

/// The number of the tower that all ways begin at, and of no next tower.
pub(super) const HEAD: u32 = super::arena::NONE;

const LEVELS: usize = 0;
const RUN: usize = 1;
const AHEAD: usize = 2;
const AHEAD_WORDS: usize = 4;

/// What comes next on a level.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    /// At most the order of any score there, and at least that of any before. It stands here, not there, so that a search
    /// looks at no tower that it does not go to.
    pub(super) order: u64,
    pub(super) tower: u32,
    /// How many elements that is ahead. Where nothing comes next, how many there are to the end.
    pub(super) span: u32,
}

/// See the module's description.
#[derive(Clone)]
pub(super) struct Towers {
    arena: Arena,
    /// What comes first on each level.
    head: Vec<Ahead>,
}

impl Towers {
    /// A head with one level.
    pub(super) fn new() -> Towers {
        Towers { arena: Arena::new(), head: vec![Ahead { order: 0, tower: HEAD, span: 0 }] }
    }

    /// How many levels the head has: as many as the highest tower.
    #[inline]
    pub(super) fn levels(&self) -> usize {
        self.head.len()
    }

    #[inline]
    pub(super) fn ahead(&self, tower: u32, level: usize) -> Ahead {
        if tower == HEAD {
            return self.head[level];
        }
        let words = &self.arena.block(tower)[AHEAD + level * AHEAD_WORDS..][..AHEAD_WORDS];
        Ahead { order: u64::from(words[0]) | u64::from(words[1]) << 32, tower: words[2], span: words[3] }
    }

    #[inline]
    pub(super) fn set_ahead(&mut self, tower: u32, level: usize, ahead: Ahead) {
        if tower == HEAD {
            self.head[level] = ahead;
            return;
        }
        let words = &mut self.arena.block_mut(tower)[AHEAD + level * AHEAD_WORDS..][..AHEAD_WORDS];
        words.copy_from_slice(&[ahead.order as u32, (ahead.order >> 32) as u32, ahead.tower, ahead.span]);
    }

    /// Tells what comes next that it has another span.
    #[inline]
    pub(super) fn change_span(&mut self, tower: u32, level: usize, change: impl FnOnce(u32) -> u32) {
        let span = match tower {
            HEAD => &mut self.head[level].span,
            tower => &mut self.arena.block_mut(tower)[AHEAD + level * AHEAD_WORDS + 3],
        };
        *span = change(*span);
    }

    /// The number of a tower's run.
    #[inline]
    pub(super) fn run(&self, tower: u32) -> u32 {
        if tower == HEAD { 0 } else { self.arena.block(tower)[RUN] }
    }

    pub(super) fn set_run(&mut self, tower: u32, run: u32) {
        if tower != HEAD {
            self.arena.block_mut(tower)[RUN] = run;
        }
    }

    #[inline]
    pub(super) fn levels_of(&self, tower: u32) -> usize {
        if tower == HEAD { self.levels() } else { self.arena.block(tower)[LEVELS] as usize }
    }

    /// A new tower, of so many levels in a list of so many elements. `None` if there is no room.
    pub(super) fn add(&mut self, levels: usize, len: u32) -> Option<u32> {
        let tower = self.arena.allocate(AHEAD + levels * AHEAD_WORDS)?;
        self.arena.block_mut(tower)[LEVELS] = levels as u32;
        while self.head.len() < levels {
            self.head.push(Ahead { order: 0, tower: HEAD, span: len });
        }
        Some(tower)
    }

    /// Ends a tower that nothing leads to any more.
    pub(super) fn remove(&mut self, tower: u32) {
        self.arena.release(tower, words_of(self.arena.block(tower)));
        while self.head.len() > 1 && self.head.last().is_some_and(|ahead| ahead.tower == HEAD) {
            self.head.pop();
        }
    }

    /// A chunk of the arena that should be emptied: by [`Towers::vacate`], a move of each tower, and
    /// [`Towers::drop_chunk`].
    pub(super) fn wasteful_chunk(&self) -> Option<usize> {
        self.arena.wasteful_chunk()
    }

    /// The towers in a chunk, which nothing new comes into any more.
    pub(super) fn vacate(&mut self, chunk: usize) -> Vec<u32> {
        self.arena.vacate(chunk, words_of)
    }

    pub(super) fn drop_chunk(&mut self, chunk: usize) {
        self.arena.drop_chunk(chunk);
    }

    /// Moves a tower out of a chunk that is being emptied. Returns its new number; the old one stays good until the
    /// chunk is dropped.
    pub(super) fn relocate(&mut self, from: u32) -> Option<u32> {
        let words = words_of(self.arena.block(from));
        let to = self.arena.allocate(words)?;
        self.arena.copy(from, to, words);
        Some(to)
    }

    pub(super) fn memory(&self) -> usize {
        self.arena.memory() + crate::memory::good_size(self.head.capacity() * size_of::<Ahead>())
    }
}

/// Words of a tower.
fn words_of(block: &[u32]) -> usize {
    AHEAD + block[LEVELS] as usize * AHEAD_WORDS
}
