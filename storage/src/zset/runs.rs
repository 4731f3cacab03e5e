//! The runs of a sorted set, by their numbers. There are no gaps: where a run goes, the last one takes its number.

use super::run::Run;
use crate::memory::good_size;

/// Runs of a chunk. The first one grows step by step.
const CHUNK: usize = if cfg!(test) { 4 } else { 64 };

/// See the module's description.
#[derive(Default)]
pub(super) struct Runs {
    chunks: Vec<Vec<Run>>,
    /// The bytes behind all runs.
    behind: usize,
}

impl Runs {
    #[inline]
    pub(super) fn get(&self, number: u32) -> &Run {
        &self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }

    #[inline]
    pub(super) fn change<R>(&mut self, number: u32, change: impl FnOnce(&mut Run) -> R) -> R {
        let run = &mut self.chunks[number as usize / CHUNK][number as usize % CHUNK];
        let before = run.memory();
        let result = change(run);
        self.behind = self.behind + run.memory() - before;
        result
    }

    /// The number of a new run.
    pub(super) fn push(&mut self, run: Run) -> u32 {
        self.behind += run.memory();
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            let room = if self.chunks.is_empty() { 1 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        let full = self.chunks.len() - 1;
        let chunk = &mut self.chunks[full];
        if chunk.len() == chunk.capacity() {
            chunk.reserve_exact((chunk.len() / 4 + 1).min(CHUNK - chunk.len()));
        }
        chunk.push(run);
        (full * CHUNK + chunk.len() - 1) as u32
    }

    /// Removes a run. Returns the one that has its number now, if there is one.
    pub(super) fn swap_remove(&mut self, number: u32) -> Option<&Run> {
        let last = self.chunks.last_mut()?.pop()?;
        if self.chunks.pop_if(|chunk| chunk.is_empty()).is_some() && self.chunks.len() < self.chunks.capacity() / 4 {
            self.chunks.shrink_to(self.chunks.len() * 2);
        }
        let chunk = self.chunks.get_mut(number as usize / CHUNK);
        let Some(place) = chunk.and_then(|chunk| chunk.get_mut(number as usize % CHUNK)) else {
            self.behind -= last.memory();
            return None;
        };
        self.behind -= std::mem::replace(place, last).memory();
        Some(place)
    }

    pub(super) fn memory(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(|chunk| good_size(chunk.capacity() * size_of::<Run>())).sum();
        chunks + good_size(self.chunks.capacity() * size_of::<Vec<Run>>()) + self.behind
    }
}

impl Clone for Runs {
    fn clone(&self) -> Runs {
        let chunks = self.chunks.clone();
        // The copies have no more room than they need.
        let behind = chunks.iter().flatten().map(Run::memory).sum();
        Runs { chunks, behind }
    }
}
