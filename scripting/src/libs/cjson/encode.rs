//! Lua values as JSON text.

use std::ffi::c_int;

use super::{ARRAY_METATABLE, INVALID_OFF, INVALID_ON, Setting, is_on, setting};
use crate::lua::numbers::{push_general, truncate};
use crate::lua::protect::push_behind;
use crate::lua::{Kind, Outcome, Raise, State};

/// What a value takes beside its bytes, in units of work.
const VALUE: usize = 64;
/// Bytes of a string that are written without a look at the room there is.
const PIECE: usize = 64 * 1024;

/// A table that is being written. It lies on the Lua stack; of an object, so does the key that was written last.
struct Open {
    table: c_int,
    /// Of an array: its length, and the elements that have been written.
    array: Option<(c_int, c_int)>,
    is_first: bool,
}

struct Encoder<'a> {
    state: &'a State,
    out: Vec<u8>,
    max_depth: usize,
    invalid: i32,
    precision: i32,
}

pub(super) fn encode(state: State) -> Outcome {
    if state.top() != 1 {
        return Err(state.argument_error(1, "expected 1 argument"));
    }
    let mut encoder = Encoder {
        state: &state,
        out: Vec::new(),
        max_depth: setting(&state, Setting::EncodeDepth) as usize,
        invalid: setting(&state, Setting::EncodeInvalid),
        precision: setting(&state, Setting::Precision),
    };
    encoder.run()?;
    state.push_bytes(&encoder.out);
    Ok(1)
}

impl Encoder<'_> {
    /// Writes the value on top. Does not recurse, since scripts choose the depth.
    fn run(&mut self) -> Result<(), Raise> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            self.state.advance(VALUE, self.out.len())?;
            if let Some(table) = self.begin_value(open.len())? {
                open.push(table);
            }
            loop {
                let Some(current) = open.last_mut() else { return Ok(()) };
                if self.begin_next(current)? {
                    break;
                }
                self.out.push(if current.array.is_some() { b']' } else { b'}' });
                self.state.set_top(current.table);
                open.pop();
            }
        }
    }

    /// Writes the value on top, or opens it if it is a table. The value stays on the stack.
    fn begin_value(&mut self, depth: usize) -> Result<Option<Open>, Raise> {
        let top = self.state.top();
        match self.state.kind(top) {
            Kind::String => self.string(top)?,
            Kind::Number => self.number(top)?,
            Kind::Boolean => {
                self.out.extend_from_slice(if self.state.truth(top) { b"true" } else { b"false" });
            }
            Kind::Nil => self.out.extend_from_slice(b"null"),
            Kind::LightUserdata if self.state.userdata(top).is_null() => self.out.extend_from_slice(b"null"),
            Kind::Table => {
                let depth = depth + 1;
                if depth > self.max_depth || !self.state.reserve(3) {
                    return Err(self.state.error(format_args!("Cannot serialise, excessive nesting ({depth})")));
                }
                if push_behind(self.state, top) {
                    self.state.replace(top);
                }
                return self.open(top).map(Some);
            }
            _ => return Err(self.exception(top, "type not supported")),
        }
        Ok(None)
    }

    fn open(&mut self, table: c_int) -> Result<Open, Raise> {
        let length = self.array_length(table)?;
        let is_marked = length == 0 && self.state.metatable(table) && {
            let is_marked = self.state.same(table + 1, ARRAY_METATABLE);
            self.state.pop(1);
            is_marked
        };
        if length > 0 || is_marked {
            self.out.push(b'[');
            return Ok(Open { table, array: Some((length, 0)), is_first: true });
        }
        self.out.push(b'{');
        self.state.push_nil();
        Ok(Open { table, array: None, is_first: true })
    }

    /// Pushes the next value of a table, its key written already; `false` at the end.
    fn begin_next(&mut self, open: &mut Open) -> Result<bool, Raise> {
        match &mut open.array {
            Some((length, written)) => {
                self.state.set_top(open.table);
                if written == length {
                    return Ok(false);
                }
                *written += 1;
                if *written > 1 {
                    self.out.push(b',');
                }
                self.state.raw_get_index(open.table, *written);
                Ok(true)
            }
            None => {
                let key = open.table + 1;
                self.state.set_top(key);
                if !self.state.next(open.table) {
                    return Ok(false);
                }
                if !open.is_first {
                    self.out.push(b',');
                }
                open.is_first = false;
                match self.state.kind(key) {
                    Kind::Number => {
                        self.out.push(b'"');
                        self.number(key)?;
                        self.out.push(b'"');
                    }
                    Kind::String => self.string(key)?,
                    _ => return Err(self.exception(key, "table key must be a number or string")),
                }
                self.out.push(b':');
                Ok(true)
            }
        }
    }

    /// The highest index of a table whose keys are all positive integers; 0 for an empty one, negative for others.
    fn array_length(&self, table: c_int) -> Result<c_int, Raise> {
        let state = self.state;
        let (mut most, mut items) = (0i32, 0i64);
        state.push_nil();
        while state.next(table) {
            state.pop(1);
            let key = state.top();
            let index = if state.kind(key) == Kind::Number { state.number(key).unwrap_or_default() } else { 0.0 };
            if !(index >= 1.0 && index.floor() == index) {
                state.pop(1);
                return Ok(-1);
            }
            if index > f64::from(most) {
                // Beyond 32 bits it becomes the smallest number, as in C.
                most = i32::try_from(truncate(index)).unwrap_or(i32::MIN);
            }
            items += 1;
        }
        let ratio = i64::from(setting(state, Setting::SparseRatio));
        let is_sparse =
            ratio > 0 && i64::from(most) > items.saturating_mul(ratio) && most > setting(state, Setting::SparseSafe);
        if !is_sparse {
            return Ok(most);
        }
        if is_on(state, Setting::SparseConvert) {
            return Ok(-1);
        }
        Err(self.exception(table, "excessively sparse array"))
    }

    fn number(&mut self, index: c_int) -> Result<(), Raise> {
        let value = self.state.number(index).unwrap_or_default();
        if !value.is_finite() {
            match self.invalid {
                INVALID_OFF => return Err(self.exception(index, "must not be NaN or Inf")),
                INVALID_ON if value.is_nan() => self.out.extend_from_slice(b"nan"),
                INVALID_ON => push_general(&mut self.out, value, self.precision),
                _ => self.out.extend_from_slice(b"null"),
            }
            return Ok(());
        }
        /// Integers below have at most 14 digits.
        const SHORT: f64 = 1e14;
        let is_short = value.abs() < SHORT && value.fract() == 0.0 && !(value == 0.0 && value.is_sign_negative());
        if is_short && self.precision == 14 {
            self.out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
        } else {
            push_general(&mut self.out, value, self.precision);
        }
        Ok(())
    }

    fn string(&mut self, index: c_int) -> Result<(), Raise> {
        // A key that is a number must stay one: only strings come here.
        let text = self.state.bytes(index).unwrap_or_default();
        self.out.reserve(text.len().min(PIECE) + 2);
        self.out.push(b'"');
        for piece in text.chunks(PIECE) {
            self.state.advance(piece.len(), self.out.len())?;
            self.escape(piece);
        }
        self.out.push(b'"');
        Ok(())
    }

    fn escape(&mut self, text: &[u8]) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut plain = 0;
        for (at, &byte) in text.iter().enumerate() {
            let short = match byte {
                b'"' | b'\\' | b'/' => byte,
                0x08 => b'b',
                b'\t' => b't',
                b'\n' => b'n',
                0x0c => b'f',
                b'\r' => b'r',
                0..0x20 | 0x7f => 0,
                _ => continue,
            };
            self.out.extend_from_slice(&text[plain..at]);
            plain = at + 1;
            match short {
                0 => {
                    let digits = [HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]];
                    self.out.extend_from_slice(b"\\u00");
                    self.out.extend_from_slice(&digits);
                }
                short => self.out.extend_from_slice(&[b'\\', short]),
            }
        }
        self.out.extend_from_slice(&text[plain..]);
    }

    fn exception(&self, index: c_int, reason: &str) -> Raise {
        self.state.error(format_args!("Cannot serialise {}: {reason}", self.state.kind(index).name()))
    }
}
