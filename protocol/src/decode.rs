//! Replies as values: for wherever the server is the reader of them.
//!
//! The values are those of the `redis-protocol` crate, which also decodes them. What is here sees to it that it only
//! meets whole replies of a decent size and depth, and that it may be fed in pieces.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;
use redis_protocol::resp3::decode::complete::decode_bytes;
use smallvec::SmallVec;

use crate::number::parse_integer;

/// A reply as a value. RESP2's nulls come out as `Null`; maps and sets keep the order in which they were sent. Of errors
/// that are not text, what is not UTF-8 comes out as U+FFFD.
pub use redis_protocol::resp3::types::BytesFrame as ReplyFrame;

/// Bounds on a single reply, so that no peer can make its reader run out of memory or stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyBounds {
    /// Most bytes.
    pub bytes: usize,
    /// Most values, those within others counted too.
    pub values: usize,
    /// Deepest nesting.
    pub depth: usize,
}

impl Default for ReplyBounds {
    fn default() -> Self {
        Self { bytes: 1 << 30, values: 16 << 20, depth: 64 }
    }
}

/// Why bytes are no reply. The decoder cannot go on after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Not in the form of the protocol, or in a part of it that servers do not use.
    Malformed(String),
    /// Above one of the bounds, which is named.
    TooBig(&'static str),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "malformed reply: {what}"),
            Self::TooBig(bound) => write!(f, "reply with too many {bound}"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Turns the bytes of a server, RESP2 or RESP3, into replies.
///
/// ```
/// use protocol::ReplyDecoder;
///
/// let mut decoder = ReplyDecoder::default();
/// decoder.feed(b"*2\r\n:1\r\n$3\r\nab");
/// assert_eq!(decoder.next_reply(), Ok(None));
/// decoder.feed(b"c\r\n");
/// assert!(decoder.next_reply().unwrap().is_some());
/// ```
#[derive(Debug, Default)]
pub struct ReplyDecoder {
    bounds: ReplyBounds,
    buffer: BytesMut,
    scan: Scan,
    error: Option<DecodeError>,
}

/// How far the search for the end of the first reply has got.
#[derive(Debug, Default)]
struct Scan {
    /// Where the next value begins.
    at: usize,
    /// Up to where the line at `at` has been searched for its end.
    searched: usize,
    /// Values that are still to come, per level of nesting.
    open: SmallVec<[usize; 8]>,
    values: usize,
    /// What the `redis-protocol` crate does not read as it is, in the order of the bytes.
    edits: Vec<Edit>,
}

/// A stretch of a reply that is read as if something else stood there.
#[derive(Debug)]
struct Edit {
    at: usize,
    len: usize,
    instead: Bytes,
}

impl ReplyDecoder {
    /// A decoder with bounds of its own.
    pub fn new(bounds: ReplyBounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// Adds bytes from the server.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The buffer, for a socket to read into.
    pub fn buffer_mut(&mut self) -> &mut impl bytes::BufMut {
        &mut self.buffer
    }

    /// Bytes that are not part of a reply yet.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The next reply if it has arrived whole. An error is final.
    pub fn next_reply(&mut self) -> Result<Option<ReplyFrame>, DecodeError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let result = self.decode_next();
        if let Err(error) = &result {
            self.error = Some(error.clone());
            self.buffer = BytesMut::new();
        }
        result
    }

    fn decode_next(&mut self) -> Result<Option<ReplyFrame>, DecodeError> {
        let whole = self.scan.advance(&self.buffer, &self.bounds)?;
        if self.scan.at > self.bounds.bytes || (!whole && self.buffer.len() > self.bounds.bytes) {
            return Err(DecodeError::TooBig("bytes"));
        }
        if !whole {
            return Ok(None);
        }
        let scan = std::mem::take(&mut self.scan);
        let reply = edited(self.buffer.split_to(scan.at).freeze(), &scan.edits);
        match decode_bytes(&reply) {
            Ok(Some((frame, len))) if len == reply.len() => Ok(Some(frame)),
            Ok(_) => Err(DecodeError::Malformed("lengths that contradict each other".to_owned())),
            Err(error) => Err(DecodeError::Malformed(error.to_string())),
        }
    }
}

fn edited(mut reply: Bytes, edits: &[Edit]) -> Bytes {
    if edits.is_empty() {
        return reply;
    }
    let mut out = BytesMut::with_capacity(reply.len());
    let mut done = 0;
    for edit in edits {
        out.extend_from_slice(&reply.split_to(edit.at - done));
        out.extend_from_slice(&edit.instead);
        reply.advance(edit.len);
        done = edit.at + edit.len;
    }
    out.extend_from_slice(&reply);
    out.freeze()
}

impl Scan {
    /// Goes on through the values of the first reply; `true` if its end is reached.
    fn advance(&mut self, input: &[u8], bounds: &ReplyBounds) -> Result<bool, DecodeError> {
        loop {
            let Some(end) = self.line_end(input) else {
                return Ok(false);
            };
            let (kind, text) = match input.get(self.at..end) {
                Some([kind, text @ ..]) => (*kind, text),
                _ => return Err(DecodeError::Malformed("an empty line".to_owned())),
            };
            let next = end + 2;
            let mut elements = None;
            let mut end = next;
            match kind {
                // The crate wants errors to be text, but they may quote any bytes.
                b'-' if str::from_utf8(text).is_err() => {
                    let instead = String::from_utf8_lossy(text).into_owned().into();
                    self.edits.push(Edit { at: self.at + 1, len: text.len(), instead });
                }
                b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => {}
                // RESP2's nulls are read as RESP3's.
                b'$' | b'*' if text == b"-1" => {
                    self.edits.push(Edit { at: self.at, len: b"$-1".len(), instead: Bytes::from_static(b"_") });
                }
                b'$' | b'!' | b'=' => {
                    end = length(text, bounds.bytes, "bytes")? + 2 + next;
                    if end > bounds.bytes {
                        return Err(DecodeError::TooBig("bytes"));
                    }
                    if input.len() < end {
                        return Ok(false);
                    }
                }
                b'*' | b'~' | b'>' => elements = Some(length(text, bounds.values, "values")?),
                b'%' => elements = Some(2 * length(text, bounds.values, "values")?),
                // The value that the attributes belong to comes after them, as if it were one more of them.
                b'|' => elements = Some(2 * length(text, bounds.values, "values")? + 1),
                other => return Err(DecodeError::Malformed(format!("type '{}'", other.escape_ascii()))),
            }
            self.at = end;
            self.values += 1;
            if self.values + elements.unwrap_or(0) > bounds.values {
                return Err(DecodeError::TooBig("values"));
            }
            match elements {
                Some(elements) if elements > 0 => {
                    if self.open.len() >= bounds.depth {
                        return Err(DecodeError::TooBig("levels"));
                    }
                    self.open.push(elements);
                }
                _ => {
                    // This value may have been the last of its level, which may be the last of its own, and so on.
                    while let Some(missing) = self.open.last_mut() {
                        *missing -= 1;
                        if *missing > 0 {
                            break;
                        }
                        self.open.pop();
                    }
                    if self.open.is_empty() {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// Where the line at hand ends; `None` if it is not whole yet.
    fn line_end(&mut self, input: &[u8]) -> Option<usize> {
        let from = self.searched.max(self.at);
        let found = memmem::find(input.get(from..)?, b"\r\n").map(|offset| from + offset);
        // The last byte may be the first half of a line end.
        self.searched = found.unwrap_or(input.len().saturating_sub(1));
        found
    }
}

fn length(text: &[u8], most: usize, bound: &'static str) -> Result<usize, DecodeError> {
    match parse_integer(text).map(usize::try_from) {
        Some(Ok(length)) if length <= most => Ok(length),
        Some(Ok(_)) => Err(DecodeError::TooBig(bound)),
        _ => Err(DecodeError::Malformed(format!("length '{}'", text.escape_ascii()))),
    }
}
