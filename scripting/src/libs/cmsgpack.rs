//! `cmsgpack`: MessagePack from and to Lua values.

use std::ffi::c_int;

use crate::lua::numbers::truncate;
use crate::lua::protect::push_behind;
use crate::lua::{Kind, Outcome, Raise, State};

/// Tables this deep are written as nil.
const MAX_NESTING: usize = 16;
/// What a value takes beside its bytes, in units of work.
const VALUE: usize = 64;

/// Pushes the table `cmsgpack`.
pub(crate) fn push(state: &State) {
    state.push_table(0, 8);
    let library = state.top();
    state.push_function(pack);
    state.set_field(library, "pack");
    state.push_function(|state: State| unpack_some(state, 0, 0));
    state.set_field(library, "unpack");
    state.push_function(|state: State| {
        let offset = state.optional_integer(2, 0)?;
        unpack_some(state, 1, offset)
    });
    state.set_field(library, "unpack_one");
    state.push_function(|state: State| {
        let limit = state.check_integer(2)?;
        let offset = state.optional_integer(3, 0)?;
        unpack_some(state, limit, offset)
    });
    state.set_field(library, "unpack_limit");
    for (name, text) in [
        ("_NAME", "cmsgpack"),
        ("_VERSION", "lua-cmsgpack 0.4.0"),
        ("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo"),
        ("_DESCRIPTION", "MessagePack C implementation for Lua"),
    ] {
        state.push_bytes(text.as_bytes());
        state.set_field(library, name);
    }
}

struct Packer<'a> {
    state: &'a State,
    out: Vec<u8>,
}

fn pack(state: State) -> Outcome {
    let count = state.top();
    if count == 0 {
        return Err(state.argument_error(0, "MessagePack pack needs input."));
    }
    let mut packer = Packer { state: &state, out: Vec::new() };
    for argument in 1..=count {
        state.check_stack(1, "in function mp_check")?;
        state.push_value(argument);
        packer.value(0)?;
    }
    state.push_bytes(&packer.out);
    Ok(1)
}

impl Packer<'_> {
    /// Writes the value on top, and pops it.
    fn value(&mut self, level: usize) -> Result<(), Raise> {
        self.state.advance(VALUE, self.out.len())?;
        let top = self.state.top();
        match self.state.kind(top) {
            Kind::String => self.bytes(top)?,
            Kind::Boolean => self.out.push(if self.state.truth(top) { 0xc3 } else { 0xc2 }),
            Kind::Number => self.number(self.state.number(top).unwrap_or_default()),
            Kind::Table if level < MAX_NESTING => self.table(top, level)?,
            _ => self.out.push(0xc0),
        }
        self.state.set_top(top - 1);
        Ok(())
    }

    /// A head with a length: `small` types have it in their low bits up to `most`, others in the bytes that follow.
    fn head(&mut self, length: usize, small: u8, most: usize, wide: [Option<u8>; 3]) {
        let [wide8, wide16, wide32] = wide;
        match (length, wide8, wide16) {
            (..=31, ..) if length <= most => self.out.push(small | length as u8),
            (..=0xff, Some(kind), _) => self.out.extend([kind, length as u8]),
            (..=0xffff, _, Some(kind)) => {
                self.out.push(kind);
                self.out.extend((length as u16).to_be_bytes());
            }
            _ => {
                self.out.extend(wide32);
                self.out.extend((length as u32).to_be_bytes());
            }
        }
    }

    fn bytes(&mut self, index: c_int) -> Result<(), Raise> {
        let bytes = self.state.bytes(index).unwrap_or_default();
        self.head(bytes.len(), 0xa0, 31, [Some(0xd9), Some(0xda), Some(0xdb)]);
        self.state.append(&mut self.out, bytes)
    }

    fn number(&mut self, value: f64) {
        let integer = truncate(value);
        if integer as f64 == value && value.is_finite() {
            return self.integer(integer);
        }
        let short = value as f32;
        if f64::from(short) == value {
            self.out.push(0xca);
            self.out.extend(short.to_be_bytes());
        } else {
            self.out.push(0xcb);
            self.out.extend(value.to_be_bytes());
        }
    }

    fn integer(&mut self, value: i64) {
        let mut wide = |kind: u8, bytes: &[u8]| {
            self.out.push(kind);
            self.out.extend_from_slice(bytes);
        };
        match value {
            -32..=127 => self.out.push(value as u8),
            128..=0xff => wide(0xcc, &(value as u8).to_be_bytes()),
            0x100..=0xffff => wide(0xcd, &(value as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => wide(0xce, &(value as u32).to_be_bytes()),
            0x1_0000_0000.. => wide(0xcf, &value.to_be_bytes()),
            -128..-32 => wide(0xd0, &(value as i8).to_be_bytes()),
            -0x8000..-128 => wide(0xd1, &(value as i16).to_be_bytes()),
            -0x8000_0000..-0x8000 => wide(0xd2, &(value as i32).to_be_bytes()),
            _ => wide(0xd3, &value.to_be_bytes()),
        }
    }

    fn table(&mut self, table: c_int, level: usize) -> Result<(), Raise> {
        let state = self.state;
        state.check_stack(4, "in function mp_encode_lua_table_as_map")?;
        if push_behind(state, table) {
            state.replace(table);
        }
        let (count, is_array) = measure(state, table);
        state.advance(count * VALUE, self.out.len())?;
        if is_array {
            let length = state.length(table);
            self.head(length, 0x90, 15, [None, Some(0xdc), Some(0xdd)]);
            for index in 1..=c_int::try_from(length).unwrap_or(c_int::MAX) {
                state.raw_get_index(table, index);
                self.value(level + 1)?;
            }
            return Ok(());
        }
        self.head(count, 0x80, 15, [None, Some(0xde), Some(0xdf)]);
        state.push_nil();
        while state.next(table) {
            state.push_value(state.top() - 1);
            self.value(level + 1)?;
            self.value(level + 1)?;
        }
        Ok(())
    }
}

/// How many fields a table has, and whether they are the indexes from 1 to their number.
fn measure(state: &State, table: c_int) -> (usize, bool) {
    let (mut count, mut most, mut is_array) = (0usize, 0i32, true);
    state.push_nil();
    while state.next(table) {
        state.pop(1);
        count += 1;
        let key = state.top();
        let index = if state.kind(key) == Kind::Number { state.number(key).unwrap_or_default() } else { 0.0 };
        let integer = i32::try_from(truncate(index)).unwrap_or(i32::MIN);
        if integer > 0 && f64::from(integer) == index {
            most = most.max(integer);
        } else {
            is_array = false;
        }
    }
    (count, is_array && most as usize == count)
}

/// Why a value cannot be read.
enum Failure {
    TooShort,
    BadFormat,
    Raised(Raise),
}

impl From<Raise> for Failure {
    fn from(raise: Raise) -> Self {
        Self::Raised(raise)
    }
}

/// A structure that is being read: its table lies on the Lua stack.
struct Open {
    table: c_int,
    left: usize,
    /// Of an array: elements read so far.
    array: Option<u32>,
    /// Of a map: whether its key is on the stack.
    has_key: bool,
}

struct Unpacker<'a> {
    state: &'a State,
    rest: &'a [u8],
}

impl<'a> Unpacker<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Failure> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Failure::TooShort)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next bytes as an unsigned number.
    fn number(&mut self, bytes: usize) -> Result<u64, Failure> {
        Ok(self.take(bytes)?.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// Pushes one value. Does not recurse, since the input chooses the depth.
    fn value(&mut self) -> Result<(), Failure> {
        let state = self.state;
        let mut open: Vec<Open> = Vec::new();
        loop {
            state.advance(VALUE, 0)?;
            if let Some(structure) = self.begin_value()? {
                open.push(structure);
            } else {
                put(state, &mut open)?;
            }
            while open.last().is_some_and(|structure| structure.left == 0) {
                open.pop();
                put(state, &mut open)?;
            }
            if open.is_empty() {
                return Ok(());
            }
        }
    }

    /// Pushes a value; or an empty table, and answers what it is to hold.
    fn begin_value(&mut self) -> Result<Option<Open>, Failure> {
        const MANY: &str = "too many return values at once; use unpack_one or unpack_limit instead.";
        let state = self.state;
        let &head = self.rest.first().ok_or(Failure::TooShort)?;
        state.check_stack(1, MANY)?;
        // Nothing is consumed before it is known that all of a value is there, except the heads of long ones.
        let whole = self.rest;
        self.rest = &whole[1..];
        match head {
            0x00..=0x7f => state.push_number(head.into()),
            0xe0..=0xff => state.push_number((head as i8).into()),
            0xc0 => state.push_nil(),
            0xc2 | 0xc3 => state.push_boolean(head == 0xc3),
            0xca => {
                let bits = self.number(4)? as u32;
                state.push_number(f32::from_bits(bits).into());
            }
            0xcb => {
                let bits = self.number(8)?;
                state.push_number(f64::from_bits(bits));
            }
            0xcc => state.push_number(self.number(1)? as f64),
            0xcd => state.push_number(self.number(2)? as f64),
            0xce => state.push_number(self.number(4)? as f64),
            // The largest ones come out negative, as they do in Redis.
            0xcf | 0xd3 => state.push_number(self.number(8)? as i64 as f64),
            0xd0 => state.push_number((self.number(1)? as i8).into()),
            0xd1 => state.push_number((self.number(2)? as i16).into()),
            0xd2 => state.push_number((self.number(4)? as i32).into()),
            0xa0..=0xbf => self.bytes((head & 0x1f).into())?,
            0xd9..=0xdb => {
                let length = self.number(1 << (head - 0xd9))? as usize;
                self.bytes(length)?;
            }
            0x90..=0x9f => return self.open_array(usize::from(head & 0xf)).map(Some),
            0x80..=0x8f => return Ok(Some(self.open(usize::from(head & 0xf)))),
            0xdc | 0xdd => {
                let length = self.number(2 << (head - 0xdc))? as usize;
                return self.open_array(length).map(Some);
            }
            0xde | 0xdf => {
                let length = self.number(2 << (head - 0xde))? as usize;
                return Ok(Some(self.open(length)));
            }
            _ => return Err(Failure::BadFormat),
        }
        Ok(None)
    }

    fn bytes(&mut self, length: usize) -> Result<(), Failure> {
        let bytes = self.take(length)?;
        self.state.push_bytes(bytes);
        Ok(())
    }

    fn open(&mut self, left: usize) -> Open {
        self.state.push_table(0, 0);
        Open { table: self.state.top(), left, array: None, has_key: false }
    }

    fn open_array(&mut self, length: usize) -> Result<Open, Failure> {
        let open = Open { array: Some(0), ..self.open(length) };
        self.state.check_stack(1, "in function mp_decode_to_lua_array")?;
        if length > 0 {
            self.state.push_number(1.0);
        }
        Ok(open)
    }
}

/// Puts the value on top into the innermost structure.
fn put(state: &State, open: &mut [Open]) -> Result<(), Raise> {
    let Some(structure) = open.last_mut() else { return Ok(()) };
    if let Some(count) = &mut structure.array {
        // The index lies below the value.
        state.raw_set(structure.table);
        *count += 1;
        structure.left -= 1;
        if structure.left > 0 {
            state.push_number(f64::from(*count) + 1.0);
        }
    } else if !structure.has_key {
        structure.has_key = true;
    } else {
        structure.has_key = false;
        let key = state.top() - 1;
        let problem = match state.kind(key) {
            Kind::Nil => Some("table index is nil"),
            Kind::Number if state.number(key).is_some_and(f64::is_nan) => Some("table index is NaN"),
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(state.raise(problem.as_bytes()));
        }
        state.raw_set(structure.table);
        structure.left -= 1;
    }
    Ok(())
}

/// Unpacks at most `limit` values from an offset on; all of them if both are zero.
fn unpack_some(state: State, limit: i64, offset: i64) -> Outcome {
    let data = state.check_bytes(1)?;
    state.set_top(1);
    if offset < 0 || limit < 0 {
        return Err(state.error(format_args!(
            "Invalid request to unpack with offset of {} and limit of {}.",
            offset as i32,
            data.len() as i32
        )));
    }
    let Some(rest) = usize::try_from(offset).ok().and_then(|offset| data.get(offset..)) else {
        return Err(state.error(format_args!(
            "Start offset {} greater than input length {}.",
            offset as i32,
            data.len() as i32
        )));
    };
    let all = limit == 0 && offset == 0;
    let mut unpacker = Unpacker { state: &state, rest };
    let mut count = 0;
    while !unpacker.rest.is_empty() && (all || count < limit) {
        match unpacker.value() {
            Ok(()) => count += 1,
            Err(Failure::TooShort) => return Err(state.error("Missing bytes in input.")),
            Err(Failure::BadFormat) => return Err(state.error("Bad data format in input.")),
            Err(Failure::Raised(raise)) => return Err(raise),
        }
    }
    if !all {
        let next = if unpacker.rest.is_empty() { -1.0 } else { (data.len() - unpacker.rest.len()) as f64 };
        state.check_stack(1, "in function mp_unpack_full")?;
        state.push_number(next);
        state.insert(2);
    }
    Ok(state.top() - 1)
}
