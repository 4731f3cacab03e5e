//! The parser proper: one request after another, resumable at every byte.

use bytes::Bytes;
use memchr::memchr2;

use super::args::Span;
use super::error::{Limits, MAX_LINE, ProtocolError};
use super::inline::split_words;
use super::{BIG_ARG, Request, RequestReader};
use crate::number::parse_integer;

/// Digits that a length may have to be read on the quick path.
const SHORT_LENGTH: usize = 9;

/// Reads a length of few digits with its line end, and answers where the next line begins.
///
/// Whatever is not plain, wrong or incomplete is left to the thorough path.
#[inline(always)]
fn short_length(input: &[u8], from: usize) -> Option<(usize, usize)> {
    let first = input.get(from)?.wrapping_sub(b'0');
    if first > 9 {
        return None;
    }
    let mut value = first as usize;
    for at in from + 1..from + 1 + SHORT_LENGTH {
        let byte = *input.get(at)?;
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 && first != 0 {
            value = value * 10 + digit as usize;
        } else if byte == b'\r' && at + 1 < input.len() {
            return Some((value, at + 2));
        } else {
            return None;
        }
    }
    None
}

impl RequestReader {
    /// Adds the next request to the batch; `false` if it is not whole yet.
    #[inline]
    pub(super) fn next_request(&mut self, limits: &Limits) -> Result<bool, ProtocolError> {
        while self.missing == 0 {
            match self.input.get(self.at) {
                None => return Ok(false),
                Some(b'*') => match self.multibulk_count(limits)? {
                    None => return Ok(false),
                    Some(count) => self.missing = count,
                },
                Some(_) => {
                    if !self.inline()? {
                        return Ok(false);
                    }
                    if self.spans.len() > self.whole_spans {
                        self.end_request();
                        return Ok(true);
                    }
                }
            }
            if self.missing == 0 {
                // An empty request: consumed without a word.
                self.start = self.at;
            }
        }
        let whole = self.arguments(limits)?;
        if whole {
            self.end_request();
        }
        Ok(whole)
    }

    /// Makes a request of what has been collected.
    #[inline]
    fn end_request(&mut self) {
        self.requests.push(Request {
            start: self.start,
            spans: (self.whole_spans, self.spans.len()),
            shared: (self.whole_shared, self.shared.len()),
        });
        self.whole_spans = self.spans.len();
        self.whole_shared = self.shared.len();
        self.start = self.at;
        self.collected = 0;
    }

    /// Reads the line with the number of arguments; `None` if it is not whole yet.
    #[inline]
    fn multibulk_count(&mut self, limits: &Limits) -> Result<Option<u32>, ProtocolError> {
        let (count, next) = match short_length(&self.input, self.at + 1) {
            Some((count, next)) => (Some(count as i64), next),
            None => match self.length_line(ProtocolError::TooBigMultibulkCount)? {
                Some(line) => line,
                None => return Ok(None),
            },
        };
        let count = limits.check_count(count)?;
        self.at = next;
        Ok(Some(count))
    }

    /// Reads the arguments that are missing; `false` if they are not all there yet.
    #[inline]
    fn arguments(&mut self, limits: &Limits) -> Result<bool, ProtocolError> {
        while self.missing > 0 {
            let len = match self.bulk {
                Some(len) => len,
                None => match self.bulk_length(limits)? {
                    Some(len) => len,
                    None => return Ok(false),
                },
            };
            if self.big_len > 0 {
                let Some(argument) = self.take_big() else {
                    return Ok(false);
                };
                self.push_shared(argument);
            } else {
                let next = self.at + len + 2;
                if next > self.input.len() {
                    self.bulk = Some(len);
                    if len >= BIG_ARG {
                        self.begin_big(len);
                    }
                    return Ok(false);
                }
                match Span::inside(self.at - self.start, len) {
                    Some(span) => self.spans.push(span),
                    None => self.push_shared(Bytes::copy_from_slice(&self.input[self.at..self.at + len])),
                }
                self.at = next;
            }
            self.bulk = None;
            self.collected += len;
            self.missing -= 1;
        }
        Ok(true)
    }

    /// Adds an argument that has a buffer of its own.
    #[cold]
    fn push_shared(&mut self, argument: Bytes) {
        self.spans.push(Span::shared(self.shared.len() - self.whole_shared));
        self.shared_bytes += argument.len();
        self.shared.push(argument);
    }

    /// Reads the line with the length of an argument; `None` if it is not whole yet.
    #[inline]
    fn bulk_length(&mut self, limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        let short = match self.input.get(self.at) {
            Some(b'$') => short_length(&self.input, self.at + 1),
            _ => None,
        };
        let (len, next) = match short {
            Some((len, next)) => (Some(len as i64), next),
            None => match self.length_line(ProtocolError::TooBigBulkCount)? {
                Some(line) => line,
                None => return Ok(None),
            },
        };
        match self.input.get(self.at) {
            Some(b'$') | None => {}
            Some(&other) => return Err(ProtocolError::ExpectedBulk(other)),
        }
        let len = limits.check_bulk(len)?;
        self.at = next;
        Ok(Some(len))
    }

    /// Reads a line with a length by the book: the length, if it is one, and where the next line begins.
    #[cold]
    fn length_line(&mut self, too_long: ProtocolError) -> Result<Option<(Option<i64>, usize)>, ProtocolError> {
        let Some(end) = self.line_end(b'\r', too_long)? else {
            return Ok(None);
        };
        if end + 1 >= self.input.len() {
            return Ok(None);
        }
        let text = self.input.get(self.at + 1..end).unwrap_or_default();
        Ok(Some((parse_integer(text), end + 2)))
    }

    /// Where the line at hand ends; `None` if it is not whole yet.
    fn line_end(&mut self, end: u8, too_long: ProtocolError) -> Result<Option<usize>, ProtocolError> {
        let from = self.searched.max(self.at);
        // Redis searches with `strchr`, for which a NUL ends the input.
        let found = memchr2(end, 0, &self.input[from..]).map(|offset| from + offset);
        self.searched = found.unwrap_or(self.input.len());
        let found = found.filter(|&at| self.input[at] == end);
        if found.unwrap_or(self.input.len()) - self.at > MAX_LINE {
            return Err(too_long);
        }
        Ok(found)
    }

    /// Reads an inline request, of which no words may come; `false` if it is not whole yet.
    #[cold]
    fn inline(&mut self) -> Result<bool, ProtocolError> {
        let Some(newline) = self.line_end(b'\n', ProtocolError::TooBigInline)? else {
            return Ok(false);
        };
        let line = &mut self.input[self.at..newline];
        let line = match line {
            [line @ .., b'\r'] => line,
            line => line,
        };
        let (spans, offset) = (&mut self.spans, self.at - self.start);
        split_words(line, |start, len| spans.extend(Span::inside(offset + start, len)))?;
        self.at = newline + 1;
        Ok(true)
    }
}
