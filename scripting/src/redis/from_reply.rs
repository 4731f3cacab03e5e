//! Replies of commands as Lua values.
//!
//! The bytes are read straight into Lua values: a decoder of its own is shorter than the way through the tree that the
//! `redis-protocol` crate would build, and allocates nothing but the values.

use std::ffi::c_int;

use crate::lua::State;

/// Why a reply does not become a value.
#[derive(Debug)]
pub(super) enum Failure {
    /// It is none, or nested too deeply. Commands give none such.
    Malformed,
    /// Its values take more memory than there is.
    OutOfMemory,
}

/// Deepest nesting of replies.
const MAX_DEPTH: usize = 512;

/// Pushes the value of a reply. An error becomes a table with `err`.
pub(super) fn push_reply(state: &State, reply: &[u8]) -> Result<(), Failure> {
    Reader { state, rest: reply }.value(0, true)
}

struct Reader<'a> {
    state: &'a State,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn line(&mut self) -> Result<&'a [u8], Failure> {
        let end = self.rest.windows(2).position(|pair| pair == b"\r\n").ok_or(Failure::Malformed)?;
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 2..];
        Ok(line)
    }

    /// A number that ends a line: a length or an integer.
    #[inline]
    fn integer(&mut self) -> Result<i64, Failure> {
        let (negative, digits) = match self.rest {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        let mut value = 0i64;
        let mut length = 0;
        for &byte in digits {
            if !byte.is_ascii_digit() {
                break;
            }
            // Downwards, because the smallest integer has no opposite.
            value = value
                .checked_mul(10)
                .and_then(|value| value.checked_sub((byte - b'0').into()))
                .ok_or(Failure::Malformed)?;
            length += 1;
        }
        if length == 0 || digits.get(length..length + 2) != Some(b"\r\n") {
            return Err(Failure::Malformed);
        }
        self.rest = &digits[length + 2..];
        if negative { Ok(value) } else { value.checked_neg().ok_or(Failure::Malformed) }
    }

    /// A length; `None` stands for nothing in place of a value.
    #[inline]
    fn length(&mut self) -> Result<Option<usize>, Failure> {
        match self.integer()? {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).map_err(|_| Failure::Malformed),
        }
    }

    #[inline]
    fn bulk(&mut self, length: usize) -> Result<&'a [u8], Failure> {
        let bytes = self.rest.get(..length).ok_or(Failure::Malformed)?;
        self.rest = self.rest.get(length + 2..).ok_or(Failure::Malformed)?;
        Ok(bytes)
    }

    /// Reads a value; pushes it if it is `wanted`.
    fn value(&mut self, depth: usize, wanted: bool) -> Result<(), Failure> {
        if depth > MAX_DEPTH || !self.state.reserve(8) {
            return Err(Failure::Malformed);
        }
        if !self.state.shared().has_room(0) {
            return Err(Failure::OutOfMemory);
        }
        let (&kind, rest) = self.rest.split_first().ok_or(Failure::Malformed)?;
        self.rest = rest;
        let base = self.state.top();
        match kind {
            b'$' => match self.length()? {
                Some(length) => {
                    let bytes = self.bulk(length)?;
                    self.state.push_bytes(bytes);
                }
                None => self.state.push_boolean(false),
            },
            b':' => {
                let value = self.integer()?;
                self.state.push_number(value as f64);
            }
            b'+' => {
                let status = self.line()?;
                self.state.push_table(0, 1);
                self.state.push_bytes(status);
                self.state.set_field(base + 1, "ok");
            }
            b'-' => {
                let error = self.line()?;
                push_error(self.state, error);
            }
            b'*' | b'>' => match self.length()? {
                Some(count) => self.array(count, depth)?,
                None => self.state.push_boolean(false),
            },
            b'%' => self.map(depth)?,
            b'~' => self.set(depth)?,
            b'_' => {
                self.line()?;
                self.state.push_nil();
            }
            b'#' => {
                let truth = self.line()? == b"t";
                self.state.push_boolean(truth);
            }
            b',' => {
                let text = self.line()?;
                let value =
                    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Failure::Malformed)?;
                self.state.push_table(0, 1);
                self.state.push_number(value);
                self.state.set_field(base + 1, "double");
            }
            b'(' => {
                let digits = self.line()?;
                self.state.push_table(0, 1);
                self.state.push_bytes(digits);
                self.state.set_field(base + 1, "big_number");
            }
            b'=' => self.verbatim()?,
            b'|' => {
                let pairs = self.length()?.ok_or(Failure::Malformed)?;
                for _ in 0..pairs.saturating_mul(2) {
                    self.value(depth + 1, false)?;
                }
                return self.value(depth + 1, wanted);
            }
            _ => return Err(Failure::Malformed),
        }
        if !wanted {
            self.state.set_top(base);
        }
        Ok(())
    }

    fn array(&mut self, count: usize, depth: usize) -> Result<(), Failure> {
        self.state.push_table(self.plausible(count), 0);
        let table = self.state.top();
        for index in 1..=c_int::try_from(count).map_err(|_| Failure::Malformed)? {
            self.value(depth + 1, true)?;
            self.state.raw_set_index(table, index);
        }
        Ok(())
    }

    fn map(&mut self, depth: usize) -> Result<(), Failure> {
        let pairs = self.length()?.ok_or(Failure::Malformed)?;
        self.state.push_table(0, 1);
        let outer = self.state.top();
        self.state.push_table(0, self.plausible(pairs));
        for _ in 0..pairs {
            self.value(depth + 1, true)?;
            self.value(depth + 1, true)?;
            self.state.raw_set(outer + 1);
        }
        self.state.set_field(outer, "map");
        Ok(())
    }

    fn set(&mut self, depth: usize) -> Result<(), Failure> {
        let count = self.length()?.ok_or(Failure::Malformed)?;
        self.state.push_table(0, 1);
        let outer = self.state.top();
        self.state.push_table(0, self.plausible(count));
        for _ in 0..count {
            self.value(depth + 1, true)?;
            self.state.push_boolean(true);
            self.state.raw_set(outer + 1);
        }
        self.state.set_field(outer, "set");
        Ok(())
    }

    fn verbatim(&mut self) -> Result<(), Failure> {
        let length = self.length()?.ok_or(Failure::Malformed)?;
        let bytes = self.bulk(length)?;
        let (format, text) = match bytes {
            [a, b, c, b':', text @ ..] => ([*a, *b, *c], text),
            _ => return Err(Failure::Malformed),
        };
        self.state.push_table(0, 1);
        let outer = self.state.top();
        self.state.push_table(0, 2);
        self.state.push_bytes(text);
        self.state.set_field(outer + 1, "string");
        self.state.push_bytes(&format);
        self.state.set_field(outer + 1, "format");
        self.state.set_field(outer, "verbatim_string");
        Ok(())
    }

    /// No more elements than the bytes at hand can hold.
    fn plausible(&self, count: usize) -> usize {
        count.min(self.rest.len() / 3)
    }
}

/// Pushes the table of an error reply, whose code is its first word.
fn push_error(state: &State, error: &[u8]) {
    let table = state.top() + 1;
    if error.contains(&b' ') {
        state.push_error_table(error);
    } else {
        state.push_error_table(&[b"ERR ", error].concat());
    }
    // Whoever replied with the error has counted it.
    state.push_boolean(true);
    state.set_field(table, "ignore_error_stats_update");
}
