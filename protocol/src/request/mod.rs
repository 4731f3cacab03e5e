//! Requests: from the bytes of one connection to batches of arguments.
//!
//! The reader accepts precisely what Redis accepts, oddities included: the byte after a line's `\r` and the two bytes
//! after an argument are skipped unseen, and a NUL byte hides the rest of the input from the search for a line's end.

mod args;
mod error;
mod inline;
mod parse;

use std::mem;

use bytes::buf::UninitSlice;
use bytes::{BufMut, Bytes};

pub use args::{Args, ArgsIter, OwnedArgs};
pub use error::{Limits, ProtocolError};
pub use inline::split_words;

use args::Span;

/// Arguments from this size on are read into a buffer of their own, unless they have arrived whole.
pub const BIG_ARG: usize = 32 * 1024;

/// Room that a connection starts with, and that an idle one returns to.
const START_CAPACITY: usize = 16 * 1024;
/// Least room to offer the socket.
const MIN_SPARE: usize = 4 * 1024;
/// Room for a big argument that is reserved on the client's bare word.
const BIG_ARG_STEP: usize = 1024 * 1024;
/// Spans that are kept from one batch to the next.
const KEPT_SPANS: usize = 16 * 1024;

/// Where a whole request lies.
#[derive(Debug)]
struct Request {
    /// Its first byte in the input, from which its spans count.
    start: usize,
    /// Its part of the spans.
    spans: (usize, usize),
    /// Its part of the big arguments.
    shared: (usize, usize),
}

/// The input of one connection: bytes as they come, requests as they are complete.
///
/// It is a [`BufMut`], so a socket can read straight into it. [`parse`](Self::parse) then collects whole requests,
/// which stay readable until [`finish_batch`](Self::finish_batch). Nothing is scanned twice, in whatever pieces it
/// arrives, and small requests allocate nothing once the reader has warmed up.
///
/// ```
/// use bytes::BufMut;
/// use protocol::{Limits, RequestReader};
///
/// let mut reader = RequestReader::new();
/// reader.put_slice(b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\nPING\r\n*1\r\n$4");
/// reader.parse(&Limits::default(), 16);
/// assert_eq!(reader.len(), 2);
/// assert_eq!(&reader.request(0)[1], b"key");
/// reader.finish_batch();
/// assert_eq!(reader.buffered(), 6);
/// ```
#[derive(Debug, Default)]
pub struct RequestReader {
    input: Vec<u8>,
    /// Where the request that is being collected begins; all before it is consumed when the batch is.
    start: usize,
    /// Where parsing goes on.
    at: usize,
    /// Up to where the line at `at` has been searched for its end.
    searched: usize,
    /// Arguments that the request being collected still lacks; 0 between requests.
    missing: u32,
    /// Length of the argument at `at`, once its header is read.
    bulk: Option<usize>,
    /// The big argument that is being read, and how long it gets, with its line end.
    big: Vec<u8>,
    big_len: usize,
    /// Of all requests in the batch, followed by those of the request being collected.
    spans: Vec<Span>,
    shared: Vec<Bytes>,
    shared_bytes: usize,
    /// Bytes of the arguments of the request being collected, but for a big one that is not whole.
    collected: usize,
    /// How many of them belong to whole requests.
    whole_spans: usize,
    whole_shared: usize,
    requests: Vec<Request>,
    error: Option<ProtocolError>,
}

impl RequestReader {
    /// A reader that owns no memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Collects the whole requests that have arrived, until the batch holds `max_requests`.
    ///
    /// A violation of the protocol ends parsing for good; see [`error`](Self::error).
    pub fn parse(&mut self, limits: &Limits, max_requests: usize) {
        while self.requests.len() < max_requests && self.error.is_none() {
            match self.next_request(limits) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => self.error = Some(error),
            }
        }
    }

    /// How many requests the batch holds.
    #[inline]
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether the batch is empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// A request of the batch.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    #[inline]
    pub fn request(&self, index: usize) -> Args<'_> {
        let request = &self.requests[index];
        Args::new(
            &self.input[request.start..],
            &self.spans[request.spans.0..request.spans.1],
            &self.shared[request.shared.0..request.shared.1],
        )
    }

    /// The requests of the batch in order.
    pub fn requests(&self) -> impl ExactSizeIterator<Item = Args<'_>> {
        (0..self.len()).map(|index| self.request(index))
    }

    /// What the client did wrong, after the requests of the batch.
    pub fn error(&self) -> Option<ProtocolError> {
        self.error
    }

    /// Drops the requests of the batch and the bytes they came in.
    pub fn finish_batch(&mut self) {
        self.requests.clear();
        if self.whole_spans == self.spans.len() {
            self.spans.clear();
        } else {
            self.spans.drain(..self.whole_spans);
        }
        for argument in self.shared.drain(..self.whole_shared) {
            self.shared_bytes -= argument.len();
        }
        self.whole_spans = 0;
        self.whole_shared = 0;
        if self.spans.capacity() > KEPT_SPANS && self.spans.len() <= KEPT_SPANS / 2 {
            self.spans.shrink_to(KEPT_SPANS / 2);
        }
        if self.start == self.input.len() {
            self.input.clear();
            self.start = 0;
            self.at = 0;
            self.searched = 0;
        }
    }

    /// Gives back memory that what is held does not need: for connections that have gone quiet.
    pub fn shrink(&mut self) {
        self.compact();
        self.input.shrink_to_fit();
        self.spans.shrink_to_fit();
        self.shared.shrink_to_fit();
        self.requests.shrink_to_fit();
    }

    /// Bytes received and not yet dropped by [`finish_batch`](Self::finish_batch).
    pub fn buffered(&self) -> usize {
        self.input.len() + self.big.len() + self.shared_bytes - if self.requests.is_empty() { self.start } else { 0 }
    }

    /// Bytes that can still be received without asking for memory.
    pub fn free(&self) -> usize {
        self.input.capacity() - self.input.len() + self.big.capacity() - self.big.len()
    }

    /// Bytes of the arguments that have been collected for a request that is not whole yet.
    pub fn multibulk_bytes(&self) -> usize {
        self.collected
    }

    /// Bytes that have not become arguments yet.
    pub fn unparsed(&self) -> usize {
        self.input.len() - self.at + self.big.len()
    }

    /// Bytes of memory that the reader holds.
    pub fn memory(&self) -> usize {
        self.input.capacity()
            + self.big.capacity()
            + self.shared_bytes
            + self.spans.capacity() * size_of::<Span>()
            + self.shared.capacity() * size_of::<Bytes>()
            + self.requests.capacity() * size_of::<Request>()
    }

    /// Moves what is not consumed to the front of the input. Spans count from their request and stay valid.
    fn compact(&mut self) {
        if self.requests.is_empty() && self.start > 0 {
            self.input.drain(..self.start);
            self.at -= self.start;
            self.searched = self.searched.saturating_sub(self.start);
            self.start = 0;
        }
    }

    /// Sees to it that the input has room for more.
    fn make_room(&mut self) {
        // Moving no more than has been consumed since the last move keeps the cost of moving linear.
        if self.input.len() - self.start <= self.start {
            self.compact();
        }
        let arrived = self.input.len() - self.at;
        let rest = self.bulk.map_or(0, |len| (len + 2).saturating_sub(arrived).min(BIG_ARG + 2));
        let wanted = rest.max(MIN_SPARE);
        if self.input.capacity() - self.input.len() < wanted {
            self.input.reserve(wanted.max(START_CAPACITY.saturating_sub(self.input.len())));
        }
    }

    /// Takes the beginning of a big argument of `len` bytes out of the input, so that its rest is read behind it.
    fn begin_big(&mut self, len: usize) {
        let arrived = &self.input[self.at..];
        self.big_len = len + 2;
        self.big = Vec::with_capacity(big_capacity(self.big_len, arrived.len()));
        self.big.extend_from_slice(arrived);
        self.input.truncate(self.at);
    }

    /// The big argument if it is complete.
    fn take_big(&mut self) -> Option<Bytes> {
        if self.big.len() < self.big_len {
            return None;
        }
        let mut argument = mem::take(&mut self.big);
        argument.truncate(self.big_len - 2);
        self.big_len = 0;
        Some(argument.into())
    }
}

/// How much to reserve for an argument of `len` bytes of which `arrived` are there.
///
/// Redis reserves all at once. Here a claim costs memory only in proportion to what the client has sent: up to 1 MiB
/// is given on trust, which spares nearly all arguments any copying, and beyond it four times what is there, so that
/// what moves while a huge argument grows adds up to no more than a third of it.
fn big_capacity(len: usize, arrived: usize) -> usize {
    len.min(arrived.saturating_mul(4).max(BIG_ARG_STEP))
}

// SAFETY: `chunk_mut` hands out spare capacity of one of two vectors, and `advance_mut` adds to the length of that same
// vector: which one it is depends only on `big` and `big_len`, which nothing changes in between.
unsafe impl BufMut for RequestReader {
    fn remaining_mut(&self) -> usize {
        isize::MAX as usize - self.input.len().max(self.big.len())
    }

    /// Where the socket's next bytes go: the rest of a big argument, or else some KiB of the input.
    fn chunk_mut(&mut self) -> &mut UninitSlice {
        if self.big.len() < self.big_len {
            if self.big.len() == self.big.capacity() {
                self.big.reserve_exact(big_capacity(self.big_len, self.big.len()) - self.big.len());
            }
            let rest = self.big_len - self.big.len();
            let spare = self.big.spare_capacity_mut();
            let len = spare.len().min(rest);
            return UninitSlice::uninit(&mut spare[..len]);
        }
        self.make_room();
        UninitSlice::uninit(self.input.spare_capacity_mut())
    }

    unsafe fn advance_mut(&mut self, count: usize) {
        let target = if self.big.len() < self.big_len { &mut self.big } else { &mut self.input };
        let len = target.len() + count;
        assert!(len <= target.capacity(), "advanced past the end of the chunk");
        // SAFETY: the caller has filled `count` bytes of the chunk, which begins at the vector's length.
        unsafe { target.set_len(len) };
    }
}

#[cfg(test)]
mod tests;
