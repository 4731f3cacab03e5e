//! Members with their scores, each a block of an arena that is found by its link.
//!
//! ```text
//! [form: 1 byte] [score: 8 bytes] [member]                      forms 1 to 253: the member's length, and one
//! [254]          [score]          [length: 2 bytes] [member]
//! [255]          [score]          [a box's number: 4 bytes]
//! ```

use super::arena::Arena;
use super::boxes::Boxes;
use crate::table::prefetch;

/// Members longer than this have an allocation of their own.
const MAX_INLINE: usize = 1024;

const LONGEST_SHORT: usize = 252;
const LONG: u8 = 254;
const BOXED: u8 = 255;

const SCORE: usize = 1;
const TAIL: usize = SCORE + size_of::<f64>();

/// See the module's description.
#[derive(Clone)]
pub(super) struct Elements {
    arena: Arena,
    /// Members that are too long for the arena.
    boxes: Boxes,
}

impl Elements {
    pub(super) fn new() -> Elements {
        Elements { arena: Arena::new(), boxes: Boxes::default() }
    }

    /// The bytes from an element's first one on.
    #[inline]
    fn bytes(&self, link: u32) -> &[u8] {
        bytemuck::cast_slice(self.arena.block(link))
    }

    #[inline]
    fn bytes_mut(&mut self, link: u32) -> &mut [u8] {
        bytemuck::cast_slice_mut(self.arena.block_mut(link))
    }

    #[inline]
    pub(super) fn score(&self, link: u32) -> f64 {
        bytemuck::pod_read_unaligned(&self.bytes(link)[SCORE..TAIL])
    }

    #[inline]
    pub(super) fn member(&self, link: u32) -> &[u8] {
        let bytes = self.bytes(link);
        match bytes[0] {
            BOXED => self.boxes.member(box_number(bytes)),
            LONG => &bytes[TAIL + 2..][..long_len(bytes)],
            form => &bytes[TAIL..][..usize::from(form) - 1],
        }
    }

    /// Starts to load an element.
    #[inline]
    pub(super) fn prefetch(&self, link: u32) {
        prefetch(self.arena.block(link).as_ptr());
    }

    pub(super) fn set_score(&mut self, link: u32, score: f64) {
        self.bytes_mut(link)[SCORE..TAIL].copy_from_slice(bytemuck::bytes_of(&score));
    }

    /// The link of a new element; `None` if the arena is full.
    pub(super) fn add(&mut self, score: f64, member: &[u8]) -> Option<u32> {
        let len = member.len();
        let link = self.arena.allocate(words_for(len))?;
        let bytes = self.bytes_mut(link);
        if len <= LONGEST_SHORT {
            bytes[0] = len as u8 + 1;
            bytes[TAIL..][..len].copy_from_slice(member);
        } else if len <= MAX_INLINE {
            bytes[0] = LONG;
            bytes[TAIL..][..2].copy_from_slice(&(len as u16).to_ne_bytes());
            bytes[TAIL + 2..][..len].copy_from_slice(member);
        } else {
            bytes[0] = BOXED;
            let number = self.boxes.add(member, link);
            self.set_box(link, number);
        }
        self.set_score(link, score);
        Some(link)
    }

    fn set_box(&mut self, link: u32, number: u32) {
        self.bytes_mut(link)[TAIL..][..4].copy_from_slice(&number.to_ne_bytes());
    }

    /// Ends an element.
    pub(super) fn remove(&mut self, link: u32) {
        let bytes = self.bytes(link);
        let words = words_of(bytes);
        if bytes[0] == BOXED {
            let number = box_number(bytes);
            if let Some(owner) = self.boxes.remove(number) {
                self.set_box(owner, number);
            }
        }
        self.arena.release(link, words);
    }

    /// A chunk of the arena that should be emptied: by [`Elements::vacate`], a move of each element, and
    /// [`Elements::drop_chunk`].
    pub(super) fn wasteful_chunk(&self) -> Option<usize> {
        self.arena.wasteful_chunk()
    }

    /// The elements in a chunk, which nothing new comes into any more.
    pub(super) fn vacate(&mut self, chunk: usize) -> Vec<u32> {
        self.arena.vacate(chunk, |block| words_of(bytemuck::cast_slice(block)))
    }

    pub(super) fn drop_chunk(&mut self, chunk: usize) {
        self.arena.drop_chunk(chunk);
    }

    /// Moves an element out of a chunk that is being emptied. Returns its new link; the old one stays good until the
    /// chunk is dropped. There is always room for it, since [`Elements::wasteful_chunk`] has seen to that.
    pub(super) fn relocate(&mut self, from: u32) -> Option<u32> {
        let words = words_of(self.bytes(from));
        let to = self.arena.allocate(words)?;
        self.arena.copy(from, to, words);
        let bytes = self.bytes(to);
        if bytes[0] == BOXED {
            self.boxes.set_owner(box_number(bytes), to);
        }
        Some(to)
    }

    /// Whether more members, of these lengths, certainly have room.
    pub(super) fn has_room(&self, lengths: impl Iterator<Item = usize>) -> bool {
        self.arena.has_room(lengths.map(words_for).sum())
    }

    pub(super) fn memory(&self) -> usize {
        self.arena.memory() + self.boxes.memory()
    }
}

/// Words of an element with a member of that length.
fn words_for(len: usize) -> usize {
    let tail = if len <= LONGEST_SHORT {
        len
    } else if len <= MAX_INLINE {
        2 + len
    } else {
        4
    };
    (TAIL + tail).div_ceil(4)
}

/// Words of an element that is there.
fn words_of(bytes: &[u8]) -> usize {
    match bytes[0] {
        BOXED => words_for(MAX_INLINE + 1),
        LONG => words_for(long_len(bytes)),
        form => words_for(usize::from(form) - 1),
    }
}

#[inline]
fn long_len(bytes: &[u8]) -> usize {
    usize::from(bytemuck::pod_read_unaligned::<u16>(&bytes[TAIL..][..2]))
}

#[inline]
fn box_number(bytes: &[u8]) -> u32 {
    bytemuck::pod_read_unaligned(&bytes[TAIL..][..4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_all_lengths_come_back() {
        let mut elements = Elements::new();
        let lengths = [0, 1, 2, 3, 4, 251, 252, 253, 254, 255, 256, 1023, 1024, 1025, 5000];
        let links: Vec<u32> =
            lengths.iter().map(|len| elements.add(*len as f64 / 2.0, &vec![*len as u8; *len]).expect("room")).collect();
        for (at, (len, link)) in lengths.iter().zip(&links).enumerate() {
            assert_eq!(
                (elements.score(*link), elements.member(*link)),
                (*len as f64 / 2.0, &vec![*len as u8; *len][..])
            );
            elements.set_score(*link, -1.0);
            if at % 2 == 0 {
                elements.remove(*link);
            }
        }
        for (len, link) in lengths.iter().zip(&links).skip(1).step_by(2) {
            assert_eq!((elements.score(*link), elements.member(*link)), (-1.0, &vec![*len as u8; *len][..]));
        }
    }
}
