//! The bytes of replies on their way to the socket.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Capacity of the first buffer.
const START_CAPACITY: usize = 4 * 1024;
/// A buffer of this size is not grown any more: the next one is begun.
const BLOCK: usize = 64 * 1024;

/// A queue of bytes, most of them copied into a buffer that is used again and again; big values are only spliced in.
///
/// Own bytes are numbered in the order in which they were appended. Full buffers are set aside in `blocks`, so that a
/// huge reply is never moved as a whole.
#[derive(Debug, Default)]
pub(super) struct Output {
    blocks: VecDeque<Block>,
    /// Number of the first byte of `tail`.
    tail_start: u64,
    tail: Vec<u8>,
    splices: VecDeque<Splice>,
    spliced_bytes: usize,
    /// Number of the own byte that is next to be sent.
    head: u64,
}

/// A full buffer and the number of its first byte.
#[derive(Debug)]
struct Block {
    start: u64,
    bytes: Vec<u8>,
}

impl Block {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

/// A value that is sent before the own byte `at`.
#[derive(Debug)]
struct Splice {
    at: u64,
    bytes: Bytes,
}

/// A place in the output: between two own bytes, behind so many splices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    own: u64,
    splices: usize,
}

impl Output {
    pub(super) fn len(&self) -> usize {
        (self.end() - self.head) as usize + self.spliced_bytes
    }

    fn end(&self) -> u64 {
        self.tail_start + self.tail.len() as u64
    }

    pub(super) fn position(&self) -> Position {
        Position { own: self.end(), splices: self.splices.len() }
    }

    /// The contiguous buffer to append to, with room for `count` bytes.
    #[inline]
    pub(super) fn room(&mut self, count: usize) -> &mut Vec<u8> {
        if self.tail.capacity() - self.tail.len() < count {
            self.grow(count);
        }
        &mut self.tail
    }

    #[cold]
    fn grow(&mut self, count: usize) {
        let len = self.tail.len();
        if len >= BLOCK / 2 && len + count > BLOCK {
            let bytes = std::mem::replace(&mut self.tail, Vec::with_capacity(count.max(BLOCK)));
            let block = Block { start: self.tail_start, bytes };
            self.tail_start = block.end();
            self.blocks.push_back(block);
        } else {
            self.tail.reserve(count.max(START_CAPACITY.saturating_sub(len)));
        }
    }

    /// Appends a value without copying it.
    pub(super) fn splice(&mut self, bytes: Bytes) {
        self.spliced_bytes += bytes.len();
        self.splices.push_back(Splice { at: self.end(), bytes });
    }

    /// Moves everything from another output behind what is here.
    pub(super) fn append(&mut self, other: &mut Output) {
        if self.len() == 0 {
            return std::mem::swap(self, other);
        }
        let mut from = other.head;
        let mut splices = std::mem::take(&mut other.splices).into_iter().peekable();
        other.spliced_bytes = 0;
        let blocks = other.blocks.iter().map(|block| (block.start, &block.bytes));
        for (start, bytes) in blocks.chain([(other.tail_start, &other.tail)]) {
            let end = start + bytes.len() as u64;
            while let Some(splice) = splices.next_if(|splice| splice.at <= end) {
                self.extend(&bytes[(from - start) as usize..(splice.at - start) as usize]);
                self.splice(splice.bytes);
                from = splice.at;
            }
            self.extend(&bytes[(from - start) as usize..]);
            from = end;
        }
        other.clear();
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).extend_from_slice(bytes);
    }

    /// The own byte at a place, if it is not sent yet.
    pub(super) fn byte_at(&self, at: Position) -> Option<u8> {
        if let Some(offset) = at.own.checked_sub(self.tail_start) {
            return self.tail.get(offset as usize).copied();
        }
        let block = self.blocks.iter().rev().find(|block| at.own >= block.start)?;
        block.bytes.get((at.own - block.start) as usize).copied()
    }

    /// Inserts bytes at an earlier place.
    pub(super) fn insert(&mut self, at: Position, bytes: &[u8]) {
        let count = bytes.len();
        for splice in self.splices.iter_mut().skip(at.splices) {
            splice.at += count as u64;
        }
        let target = if at.own >= self.tail_start {
            let offset = (at.own - self.tail_start) as usize;
            (&mut self.tail, offset)
        } else {
            self.tail_start += count as u64;
            let mut found = None;
            for block in self.blocks.iter_mut().rev() {
                if at.own >= block.start {
                    found = Some((at.own - block.start, &mut block.bytes));
                    break;
                }
                block.start += count as u64;
            }
            match found {
                Some((offset, bytes)) => (bytes, offset as usize),
                None => return debug_assert!(false, "inserted into what has been sent"),
            }
        };
        let (buffer, offset) = target;
        let len = buffer.len();
        debug_assert!(offset <= len);
        buffer.extend_from_slice(bytes);
        buffer.copy_within(offset..len, offset + count);
        buffer[offset..offset + count].copy_from_slice(bytes);
    }

    /// Drops all that was appended since.
    pub(super) fn truncate(&mut self, to: Position) {
        while self.splices.len() > to.splices {
            self.spliced_bytes -= self.splices.pop_back().map_or(0, |splice| splice.bytes.len());
        }
        while self.tail_start > to.own {
            let Some(block) = self.blocks.pop_back() else { break };
            self.tail_start = block.start;
            self.tail = block.bytes;
        }
        self.tail.truncate(to.own.saturating_sub(self.tail_start) as usize);
    }

    /// All of it, if it is in one piece.
    #[inline]
    pub(super) fn whole(&self) -> Option<&[u8]> {
        let single = self.blocks.is_empty() && self.splices.is_empty();
        if single { self.tail.get((self.head - self.tail_start) as usize..) } else { None }
    }

    /// Fills `slices` with what is to be sent first, and answers how many it took.
    pub(super) fn fill_io_slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        if let (Some(whole @ [_, ..]), Some(slice)) = (self.whole(), slices.first_mut()) {
            *slice = IoSlice::new(whole);
            return 1;
        }
        let mut filled = 0;
        let mut put = |bytes: &'a [u8]| {
            if !bytes.is_empty()
                && let Some(slice) = slices.get_mut(filled)
            {
                *slice = IoSlice::new(bytes);
                filled += 1;
            }
            filled < slices.len()
        };
        let mut splices = self.splices.iter().peekable();
        let blocks = self.blocks.iter().map(|block| (block.start, &block.bytes));
        for (start, bytes) in blocks.chain([(self.tail_start, &self.tail)]) {
            let end = start + bytes.len() as u64;
            let mut from = self.head.max(start);
            while let Some(splice) = splices.next_if(|splice| splice.at <= end) {
                if !put(&bytes[(from - start) as usize..(splice.at - start) as usize]) || !put(&splice.bytes) {
                    return filled;
                }
                from = splice.at;
            }
            if !put(&bytes[(from - start) as usize..]) {
                return filled;
            }
        }
        filled
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut slices = vec![IoSlice::new(&[]); self.blocks.len() + 2 * self.splices.len() + 1];
        let filled = self.fill_io_slices(&mut slices);
        let mut bytes = Vec::with_capacity(self.len());
        slices[..filled].iter().for_each(|slice| bytes.extend_from_slice(slice));
        bytes
    }

    /// Takes what is to be sent first, as far as it lies together: without a copy what was spliced in, and buffers that
    /// are not used again.
    pub(super) fn take_front(&mut self) -> Option<Bytes> {
        if self.len() == 0 {
            return None;
        }
        let own_end = self.splices.front().map_or(self.end(), |splice| splice.at);
        let taken = if own_end == self.head {
            let bytes = self.splices.pop_front()?.bytes;
            self.spliced_bytes -= bytes.len();
            bytes
        } else if let Some(block) = self.blocks.pop_front_if(|block| block.start == self.head && block.end() <= own_end)
        {
            self.head = block.end();
            block.bytes.into()
        } else if self.tail_start == self.head && self.end() == own_end && self.tail.capacity() > BLOCK {
            self.head = own_end;
            self.tail_start = own_end;
            std::mem::take(&mut self.tail).into()
        } else {
            let mut front = [IoSlice::new(&[])];
            self.fill_io_slices(&mut front);
            let bytes = Bytes::copy_from_slice(&front[0]);
            self.consume(bytes.len());
            bytes
        };
        // Begins anew where nothing is left.
        self.consume(0);
        Some(taken)
    }

    /// Drops the first `count` bytes, which have been sent.
    pub(super) fn consume(&mut self, mut count: usize) {
        debug_assert!(count <= self.len());
        while let Some(splice) = self.splices.front_mut() {
            let before = ((splice.at - self.head) as usize).min(count);
            self.head += before as u64;
            count -= before;
            if splice.at > self.head || count < splice.bytes.len() {
                break;
            }
            count -= splice.bytes.len();
            self.spliced_bytes -= splice.bytes.len();
            self.splices.pop_front();
        }
        if count > 0 {
            match self.splices.front_mut() {
                Some(splice) => {
                    splice.bytes.advance(count);
                    self.spliced_bytes -= count;
                }
                None => self.head = (self.head + count as u64).min(self.end()),
            }
        }
        while self.blocks.front().is_some_and(|block| block.end() <= self.head) {
            self.blocks.pop_front();
        }
        if self.head == self.end() && self.splices.is_empty() {
            self.clear();
        }
    }

    /// Drops everything, and keeps a buffer for what comes unless it has become very big.
    pub(super) fn clear(&mut self) {
        if self.whole().is_none() {
            self.blocks.clear();
            self.splices.clear();
            self.spliced_bytes = 0;
        }
        self.tail.clear();
        if self.tail.capacity() > BLOCK {
            self.tail = Vec::new();
        }
        self.tail_start = 0;
        self.head = 0;
    }

    /// Gives back the memory that what is queued does not need.
    pub(super) fn shrink(&mut self) {
        if self.tail.is_empty() {
            self.tail = Vec::new();
        }
        self.blocks.shrink_to_fit();
        self.splices.shrink_to_fit();
    }

    pub(super) fn memory(&self) -> usize {
        self.tail.capacity()
            + self.blocks.iter().map(|block| block.bytes.capacity()).sum::<usize>()
            + self.blocks.capacity() * size_of::<Block>()
            + self.spliced_bytes
            + self.splices.capacity() * size_of::<Splice>()
    }
}
