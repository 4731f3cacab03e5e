//! Replies: the output of one connection, in the version of the protocol that it speaks.

mod double;
mod grisu;
mod header;
mod output;
mod text;

use std::fmt;
use std::io::IoSlice;

use bytes::Bytes;

use crate::request::ProtocolError;
pub use double::DoubleText;
use header::{MAX_HEADER, put_header, put_value};
use output::{Output, Position};
use text::{OneLine, Plain};

/// Values from this size on are sent from where they are; copying smaller ones costs less than one more piece.
const SPLICE_FROM: usize = 16 * 1024;

/// The version of the protocol that a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resp {
    /// What every connection starts with.
    #[default]
    V2,
    /// What `HELLO 3` switches to.
    V3,
}

/// A place in the output to go back to; see [`Reply::mark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(Position);

/// A header that is still to be written; see [`Reply::defer`].
#[derive(Debug)]
#[must_use = "the header is missing until one of the end methods writes it"]
pub struct Deferred(Position);

/// The output of one connection: replies are appended, the socket takes them from the front.
///
/// ```
/// use protocol::{Reply, Resp};
///
/// let mut reply = Reply::new(Resp::V3);
/// reply.map(1);
/// reply.bulk(b"key");
/// reply.null();
/// assert_eq!(reply.to_vec(), b"%1\r\n$3\r\nkey\r\n_\r\n");
/// ```
#[derive(Debug, Default)]
pub struct Reply {
    resp: Resp,
    out: Output,
}

impl Reply {
    /// An empty output in a version of the protocol.
    pub fn new(resp: Resp) -> Self {
        Self { resp, out: Output::default() }
    }

    /// The version in which replies are written.
    #[inline]
    pub fn resp(&self) -> Resp {
        self.resp
    }

    /// Changes the version for what is appended from now on.
    pub fn set_resp(&mut self, resp: Resp) {
        self.resp = resp;
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// A status. Line breaks within are replaced by spaces.
    pub fn simple(&mut self, status: &str) {
        self.line(b'+', status);
    }

    /// A status from bytes that need not be text; otherwise as [`simple`](Self::simple).
    pub fn simple_bytes(&mut self, status: &[u8]) {
        self.raw(b"+");
        OneLine::new(&mut self.out).push(status);
        self.raw(b"\r\n");
    }

    /// An error, its code included: `ERR no such key`. Line breaks at the ends are dropped, others become spaces.
    pub fn error(&mut self, error: impl fmt::Display) {
        self.line(b'-', error);
    }

    /// An error from bytes that need not be text; otherwise as [`error`](Self::error).
    pub fn error_bytes(&mut self, error: &[u8]) {
        self.raw(b"-");
        OneLine::new(&mut self.out).push(error);
        self.raw(b"\r\n");
    }

    /// The last thing that a client hears which has violated the protocol.
    pub fn protocol_error(&mut self, error: ProtocolError) {
        self.raw(b"-ERR ");
        self.raw(error.text().as_bytes());
        if let Some(byte) = error.quoted_byte() {
            self.raw(&[b'\'', byte, b'\'']);
        }
        self.raw(b"\r\n");
    }

    fn line(&mut self, prefix: u8, text: impl fmt::Display) {
        self.raw(&[prefix]);
        OneLine::new(&mut self.out).display(text);
        self.raw(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        if value >= 0 {
            self.header(b':', value as u64);
        } else {
            self.negative_integer(value);
        }
    }

    #[cold]
    fn negative_integer(&mut self, value: i64) {
        self.raw(b":");
        self.raw(itoa::Buffer::new().format(value).as_bytes());
        self.raw(b"\r\n");
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, value: &[u8]) {
        let out = self.out.room(MAX_HEADER + value.len() + 2);
        // SAFETY: that room was just made.
        unsafe { put_value(out, b'$', value) };
    }

    /// A bulk string, which is not copied if it is big.
    pub fn bulk_shared(&mut self, value: Bytes) {
        if value.len() < SPLICE_FROM {
            return self.bulk(&value);
        }
        self.header(b'$', value.len() as u64);
        self.out.splice(value);
        self.raw(b"\r\n");
    }

    /// A bulk string from text.
    #[inline]
    pub fn bulk_str(&mut self, value: &str) {
        self.bulk(value.as_bytes());
    }

    /// A bulk string from formatted text: `reply.bulk_display(format_args!("{a}:{b}"))`.
    pub fn bulk_display(&mut self, value: impl fmt::Display) {
        let deferred = self.defer();
        let len = Plain::new(&mut self.out).display(value);
        self.insert_header(deferred, b'$', len);
        self.raw(b"\r\n");
    }

    /// A bulk string that reads as an integer.
    #[inline]
    pub fn bulk_integer(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// Nothing, in place of a value.
    #[inline]
    pub fn null(&mut self) {
        self.raw(match self.resp {
            Resp::V2 => b"$-1\r\n",
            Resp::V3 => b"_\r\n",
        });
    }

    /// Nothing, in place of an array.
    #[inline]
    pub fn null_array(&mut self) {
        self.raw(match self.resp {
            Resp::V2 => b"*-1\r\n",
            Resp::V3 => b"_\r\n",
        });
    }

    /// An array, of which `count` elements follow.
    #[inline]
    pub fn array(&mut self, count: usize) {
        self.header(b'*', count as u64);
    }

    /// A map, of which `pairs` keys and values follow, taking turns.
    #[inline]
    pub fn map(&mut self, pairs: usize) {
        match self.resp {
            Resp::V2 => self.header(b'*', 2 * pairs as u64),
            Resp::V3 => self.header(b'%', pairs as u64),
        }
    }

    /// A set, of which `count` members follow.
    #[inline]
    pub fn set(&mut self, count: usize) {
        self.header(self.by_version(b'*', b'~'), count as u64);
    }

    /// A message out of turn, of which `count` elements follow.
    #[inline]
    pub fn push(&mut self, count: usize) {
        self.header(self.by_version(b'*', b'>'), count as u64);
    }

    /// Attributes of the reply that comes after their `pairs` keys and values.
    ///
    /// RESP2 has none: then nothing is written, the answer is `false`, and the pairs must be left out.
    #[must_use]
    pub fn attribute(&mut self, pairs: usize) -> bool {
        let known = self.resp == Resp::V3;
        if known {
            self.header(b'|', pairs as u64);
        }
        known
    }

    /// A double, in the digits that Redis gives it.
    pub fn double(&mut self, value: f64) {
        let text = DoubleText::new(value);
        let text = text.as_bytes();
        match self.resp {
            Resp::V2 => self.bulk(text),
            Resp::V3 => {
                self.raw(b",");
                self.raw(text);
                self.raw(b"\r\n");
            }
        }
    }

    /// A truth value; 1 or 0 in RESP2.
    pub fn boolean(&mut self, value: bool) {
        self.raw(match (self.resp, value) {
            (Resp::V2, false) => b":0\r\n",
            (Resp::V2, true) => b":1\r\n",
            (Resp::V3, false) => b"#f\r\n",
            (Resp::V3, true) => b"#t\r\n",
        });
    }

    /// An integer of any size, given in decimal digits.
    pub fn big_number(&mut self, digits: &str) {
        match self.resp {
            Resp::V2 => self.bulk_str(digits),
            Resp::V3 => self.line(b'(', digits),
        }
    }

    /// Text that says what format it is in, by three letters such as `txt`.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        match self.resp {
            Resp::V2 => self.bulk(text),
            Resp::V3 => {
                self.header(b'=', (format.len() + 1 + text.len()) as u64);
                self.raw(format.as_bytes());
                self.raw(b":");
                self.raw(text);
                self.raw(b"\r\n");
            }
        }
    }

    /// Bytes that are encoded already.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.room(bytes.len()).extend_from_slice(bytes);
    }

    /// Bytes that are encoded already, which are not copied if they are many.
    pub fn raw_shared(&mut self, bytes: Bytes) {
        if bytes.len() < SPLICE_FROM {
            return self.raw(&bytes);
        }
        self.out.splice(bytes);
    }

    /// Moves everything that waits in another output behind what waits here. The other one is empty then.
    pub fn append(&mut self, other: &mut Reply) {
        self.out.append(&mut other.out);
    }

    #[inline]
    fn header(&mut self, prefix: u8, number: u64) {
        let out = self.out.room(MAX_HEADER);
        // SAFETY: that room was just made.
        unsafe { put_header(out, prefix, number) };
    }

    #[inline]
    fn by_version(&self, v2: u8, v3: u8) -> u8 {
        match self.resp {
            Resp::V2 => v2,
            Resp::V3 => v3,
        }
    }

    /// Leaves a header out until the number of elements is known, when one of the end methods writes it.
    ///
    /// Of several that are open, the one that was begun last must be ended first.
    pub fn defer(&mut self) -> Deferred {
        Deferred(self.out.position())
    }

    /// Makes what was appended since [`defer`](Self::defer) an array of `count` elements.
    pub fn end_array(&mut self, deferred: Deferred, count: usize) {
        self.insert_header(deferred, b'*', count);
    }

    /// Makes what was appended since [`defer`](Self::defer) a map of `pairs` keys and values.
    pub fn end_map(&mut self, deferred: Deferred, pairs: usize) {
        match self.resp {
            Resp::V2 => self.insert_header(deferred, b'*', 2 * pairs),
            Resp::V3 => self.insert_header(deferred, b'%', pairs),
        }
    }

    /// Makes what was appended since [`defer`](Self::defer) a set of `count` members.
    pub fn end_set(&mut self, deferred: Deferred, count: usize) {
        self.insert_header(deferred, self.by_version(b'*', b'~'), count);
    }

    fn insert_header(&mut self, deferred: Deferred, prefix: u8, count: usize) {
        let mut header = Vec::with_capacity(MAX_HEADER);
        // SAFETY: that is the capacity it was given.
        unsafe { put_header(&mut header, prefix, count as u64) };
        self.out.insert(deferred.0, &header);
    }

    /// Remembers how far the output has got. Good until the next [`consume`](Self::consume).
    #[inline]
    pub fn mark(&self) -> Mark {
        Mark(self.out.position())
    }

    /// Whether what was appended since the mark begins with an error.
    pub fn is_error_since(&self, mark: Mark) -> bool {
        self.out.byte_at(mark.0) == Some(b'-')
    }

    /// Takes back all that was appended since the mark.
    pub fn truncate_to(&mut self, mark: Mark) {
        self.out.truncate(mark.0);
    }

    /// Whether anything was appended since the mark.
    #[inline]
    pub fn has_grown_since(&self, mark: Mark) -> bool {
        self.out.position() != mark.0
    }

    /// All that is still to be sent, if it is in one piece.
    #[inline]
    pub fn whole(&self) -> Option<&[u8]> {
        self.out.whole()
    }

    /// Fills `slices` with what is to be sent first, and answers how many of them it took.
    pub fn fill_io_slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.out.fill_io_slices(slices)
    }

    /// Drops the first `count` bytes, which have been sent.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        self.out.consume(count);
    }

    /// Takes a part of what is to be sent, the first one, for whoever sends it by other means. Long values are not copied.
    pub fn take_front(&mut self) -> Option<Bytes> {
        self.out.take_front()
    }

    /// Bytes that are still to be sent.
    #[inline]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether everything has been sent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops everything that has not been sent.
    pub fn clear(&mut self) {
        self.out.clear();
    }

    /// Gives back memory that what is queued does not need: for connections that have gone quiet.
    pub fn shrink(&mut self) {
        self.out.shrink();
    }

    /// Bytes of memory that the output holds.
    pub fn memory(&self) -> usize {
        self.out.memory()
    }

    /// A copy of all that is still to be sent: for whoever reads replies in the same process.
    pub fn to_vec(&self) -> Vec<u8> {
        self.out.to_vec()
    }
}

#[cfg(test)]
mod tests;
