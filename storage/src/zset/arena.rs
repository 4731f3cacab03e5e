//! Blocks of 32-bit words, found by the number of their first word.
//!
//! The words lie in chunks. A block that is released waits for another of exactly its size; where such blocks have become
//! a good part of what there is, the owner empties a chunk of what lives in it ([`Arena::wasteful_chunk`]), and the
//! chunk goes. So memory stays within a factor of what is in use, whatever sizes come and go, and nobody ever waits for
//! more than a few chunks to be moved.
//!
//! The lowest byte of a block's first word is not 0 while it is in use. A free block:
//!
//! ```text
//! [number of words << 16] [the free block of this size before] [the next one]
//! ```

use crate::memory::good_size;

/// The number of no block.
pub(super) const NONE: u32 = 0;

/// Words of a chunk.
const CHUNK: usize = 1 << 14;
/// Chunks whose words have numbers of 32 bits.
const MOST_CHUNKS: usize = 1 << 18;
/// Below this many chunks the one that is being filled grows step by step.
const FEW_CHUNKS: usize = 4;
/// Words in free blocks that are never worth the work of giving them back.
const SLACK: usize = 256;
/// Words that a chunk may be left without: one less than the longest block has.
const MOST_BLOCK: usize = 300;

const BEFORE: usize = 1;
const NEXT: usize = 2;

/// See the module's description.
#[derive(Clone)]
pub(super) struct Arena {
    chunks: Vec<Chunk>,
    /// The chunk that is being filled.
    open: usize,
    /// Numbers of chunks that have no memory.
    vacant: Vec<u32>,
    /// By their number of words, the first of the blocks that are free.
    free: Vec<u32>,
    /// Words in blocks that are in use.
    live: usize,
    /// Words in blocks that are free.
    dead: usize,
}

#[derive(Clone, Default)]
struct Chunk {
    words: Vec<u32>,
    dead: u32,
}

impl Arena {
    pub(super) fn new() -> Arena {
        Arena { chunks: Vec::new(), open: 0, vacant: Vec::new(), free: Vec::new(), live: 0, dead: 0 }
    }

    /// The words from a block's first one on.
    #[inline]
    pub(super) fn block(&self, link: u32) -> &[u32] {
        &self.chunks[link as usize / CHUNK].words[link as usize % CHUNK..]
    }

    #[inline]
    pub(super) fn block_mut(&mut self, link: u32) -> &mut [u32] {
        &mut self.chunks[link as usize / CHUNK].words[link as usize % CHUNK..]
    }

    /// A block of zeros, of at least three words and at most [`MOST_BLOCK`]. `None` if the numbers have run out.
    pub(super) fn allocate(&mut self, words: usize) -> Option<u32> {
        let link = match self.free.get(words) {
            Some(&link) if link != NONE => {
                self.unlist(link, words);
                self.block_mut(link)[..words].fill(0);
                link
            }
            _ => self.extend(words)?,
        };
        self.live += words;
        Some(link)
    }

    fn extend(&mut self, words: usize) -> Option<u32> {
        if self.chunks.get(self.open).is_none_or(|chunk| chunk.words.len() + words > CHUNK) {
            self.open = self.open_chunk()?;
        }
        let few = self.used_chunks() < FEW_CHUNKS;
        let chunk = &mut self.chunks[self.open].words;
        let at = chunk.len();
        if at + words > chunk.capacity() {
            let wanted = if few { (at + words + at / 4).min(CHUNK) } else { CHUNK };
            chunk.reserve_exact(wanted - at);
        }
        chunk.resize(at + words, 0);
        Some((self.open * CHUNK + at) as u32)
    }

    fn used_chunks(&self) -> usize {
        self.chunks.len() - self.vacant.len()
    }

    fn open_chunk(&mut self) -> Option<usize> {
        let number = match self.vacant.pop() {
            Some(number) => number as usize,
            None if self.chunks.len() < MOST_CHUNKS => {
                self.chunks.push(Chunk::default());
                self.chunks.len() - 1
            }
            None => return None,
        };
        // The number of the very first word means none.
        self.chunks[number].words.resize(first_word(number), 0);
        Some(number)
    }

    /// Whether so many more words certainly have room.
    pub(super) fn has_room(&self, words: usize) -> bool {
        let chunks = MOST_CHUNKS - self.used_chunks();
        // One is kept for moving blocks.
        chunks.saturating_sub(1).saturating_mul(CHUNK - MOST_BLOCK) >= words
    }

    /// Frees a block of so many words.
    pub(super) fn release(&mut self, link: u32, words: usize) {
        if self.free.len() <= words {
            self.free.resize(words + 1, NONE);
        }
        let next = std::mem::replace(&mut self.free[words], link);
        if next != NONE {
            self.block_mut(next)[BEFORE] = link;
        }
        let block = self.block_mut(link);
        (block[0], block[BEFORE], block[NEXT]) = ((words as u32) << 16, NONE, next);
        self.chunks[link as usize / CHUNK].dead += words as u32;
        self.live -= words;
        self.dead += words;
    }

    /// Takes a free block off its list.
    fn unlist(&mut self, link: u32, words: usize) {
        let block = self.block(link);
        let (before, next) = (block[BEFORE], block[NEXT]);
        match before {
            NONE => self.free[words] = next,
            before => self.block_mut(before)[NEXT] = next,
        }
        if next != NONE {
            self.block_mut(next)[BEFORE] = before;
        }
        self.chunks[link as usize / CHUNK].dead -= words as u32;
        self.dead -= words;
    }

    pub(super) fn copy(&mut self, from: u32, to: u32, words: usize) {
        let block: smallvec::SmallVec<[u32; 64]> = self.block(from)[..words].into();
        self.block_mut(to)[..words].copy_from_slice(&block);
    }

    /// The chunk with the most free words, if there are so many in all that it should be emptied. That is to be done
    /// with [`Arena::vacate`], a move of each block, and [`Arena::drop_chunk`].
    pub(super) fn wasteful_chunk(&self) -> Option<usize> {
        let full = self.vacant.is_empty() && self.chunks.len() == MOST_CHUNKS;
        if full || self.dead <= self.live / 4 + SLACK {
            return None;
        }
        let (number, _) = self.chunks.iter().enumerate().max_by_key(|(_, chunk)| chunk.dead)?;
        Some(number)
    }

    /// Sees to it that nothing new comes into a chunk. Returns what is in use in it, which no longer counts.
    /// `words_of` tells how long such a block is.
    pub(super) fn vacate(&mut self, number: usize, words_of: impl Fn(&[u32]) -> usize) -> Vec<u32> {
        if self.open == number {
            self.open = usize::MAX;
        }
        let mut used = Vec::new();
        let mut at = first_word(number);
        while at < self.chunks[number].words.len() {
            let link = (number * CHUNK + at) as u32;
            let block = self.block(link);
            if block[0] & 0xff == 0 {
                let words = (block[0] >> 16) as usize;
                self.unlist(link, words);
                at += words;
            } else {
                let words = words_of(block);
                self.live -= words;
                at += words;
                used.push(link);
            }
        }
        used
    }

    /// Gives back a chunk from which everything has been moved.
    pub(super) fn drop_chunk(&mut self, number: usize) {
        self.chunks[number] = Chunk::default();
        self.vacant.push(number as u32);
        let len = self.chunks.len();
        while self.chunks.pop_if(|chunk| chunk.words.is_empty()).is_some() {}
        if self.chunks.len() < len {
            let len = self.chunks.len() as u32;
            self.vacant.retain(|number| *number < len);
            if self.chunks.len() < self.chunks.capacity() / 4 {
                self.chunks.shrink_to(self.chunks.len() * 2);
                self.vacant.shrink_to(self.chunks.len());
            }
        }
        if self.used_chunks() < FEW_CHUNKS
            && let Some(Chunk { words, .. }) = self.chunks.get_mut(self.open)
        {
            // It was made as large as they get when there were more of them.
            words.shrink_to(words.len() + words.len() / 4);
        }
    }

    pub(super) fn memory(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(|chunk| good_size(chunk.words.capacity() * 4)).sum();
        let lists = self.free.capacity() + self.vacant.capacity();
        chunks + good_size(self.chunks.capacity() * size_of::<Chunk>()) + good_size(lists * 4)
    }
}

/// Where blocks begin in a chunk.
fn first_word(chunk: usize) -> usize {
    usize::from(chunk == 0)
}
