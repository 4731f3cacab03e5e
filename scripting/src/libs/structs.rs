//! `struct`: numbers and strings as the bytes of C structures.

use std::ffi::c_int;

use crate::lua::numbers::truncate;
use crate::lua::{Outcome, Raise, State};

/// Most bytes of an integer.
const MAX_INTEGER: usize = 32;
/// The alignment that `!` alone asks for.
const NATIVE_ALIGNMENT: i32 = 8;
/// What an item takes beside its bytes, in units of work.
const ITEM: usize = 32;

/// Pushes the table `struct`.
pub(crate) fn push(state: &State) {
    state.push_table(0, 3);
    let library = state.top();
    state.push_function(pack);
    state.set_field(library, "pack");
    state.push_function(unpack);
    state.set_field(library, "unpack");
    state.push_function(size);
    state.set_field(library, "size");
}

/// Reads a format: its options one by one, with the byte order and alignment that hold for each.
struct Format<'a> {
    state: &'a State,
    rest: &'a [u8],
    big_endian: bool,
    alignment: usize,
}

/// An option of a format, and the bytes it takes. Zero where that follows from the value, or there is none.
#[derive(Clone, Copy)]
struct Item {
    option: u8,
    size: usize,
}

impl<'a> Format<'a> {
    /// The format in the first argument; it ends at a zero byte.
    fn new(state: &'a State) -> Result<Self, Raise> {
        state.check_bytes(1)?;
        let rest = state.c_text(1).unwrap_or_default().to_bytes();
        Ok(Self { state, rest, big_endian: false, alignment: 1 })
    }

    fn number(&mut self) -> Result<Option<i32>, Raise> {
        let mut number: Option<i32> = None;
        while let Some((&digit, rest)) = self.rest.split_first() {
            if !digit.is_ascii_digit() {
                break;
            }
            let next = number.unwrap_or(0).checked_mul(10).and_then(|n| n.checked_add((digit - b'0').into()));
            let Some(next) = next else { return Err(self.state.error("integral size overflow")) };
            number = Some(next);
            self.rest = rest;
        }
        Ok(number)
    }

    fn next(&mut self) -> Result<Option<Item>, Raise> {
        self.state.advance(ITEM, 0)?;
        let Some((&option, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let size = match option {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.number()?.unwrap_or(1) as usize,
            b'i' | b'I' => {
                let size = self.number()?.unwrap_or(4);
                if size as usize > MAX_INTEGER {
                    return Err(self
                        .state
                        .error(format_args!("integral size {size} is larger than limit of {MAX_INTEGER}")));
                }
                size as usize
            }
            _ => 0,
        };
        Ok(Some(Item { option, size }))
    }

    /// Bytes to leave out before an item, so that it is aligned.
    fn padding(&self, position: usize, item: Item) -> usize {
        if item.size == 0 || item.option == b'c' {
            return 0;
        }
        let size = item.size.min(self.alignment);
        size.wrapping_sub(position & (size - 1)) & (size - 1)
    }

    /// Applies an option that stands for no value.
    fn control(&mut self, option: u8) -> Result<(), Raise> {
        match option {
            b' ' => {}
            b'>' => self.big_endian = true,
            b'<' => self.big_endian = false,
            b'!' => {
                let alignment = self.number()?.unwrap_or(NATIVE_ALIGNMENT);
                if alignment <= 0 || !(alignment as u32).is_power_of_two() {
                    return Err(self.state.error(format_args!("alignment {alignment} is not a power of 2")));
                }
                self.alignment = alignment as usize;
            }
            _ => {
                let message = [b"invalid format option '", &[option][..], b"'"].concat();
                return Err(self.state.argument_error(1, String::from_utf8_lossy(&message)));
            }
        }
        Ok(())
    }
}

fn put_integer(out: &mut Vec<u8>, value: f64, size: usize, big_endian: bool) {
    /// 2^63: numbers from here on need the 64th bit, and are converted without it.
    const HIGH: f64 = 9223372036854775808.0;
    let value = if value >= HIGH { truncate(value - HIGH) as u64 ^ 1 << 63 } else { truncate(value) as u64 };
    let mut bytes = [0; MAX_INTEGER];
    bytes[..8].copy_from_slice(&value.to_le_bytes());
    let bytes = &mut bytes[..size];
    if big_endian {
        bytes.reverse();
    }
    out.extend_from_slice(bytes);
}

fn pack(state: State) -> Outcome {
    let mut format = Format::new(&state)?;
    // A missing argument is told to be nil.
    state.push_nil();
    let mut out = Vec::new();
    let mut argument: c_int = 2;
    while let Some(item) = format.next()? {
        state.advance(item.size, out.len())?;
        let padding = format.padding(out.len(), item);
        out.resize(out.len() + padding, 0);
        match item.option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                put_integer(&mut out, state.check_number(argument)?, item.size, format.big_endian);
                argument += 1;
            }
            b'x' => out.push(0),
            b'f' => {
                let value = state.check_number(argument)? as f32;
                out.extend(if format.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
                argument += 1;
            }
            b'd' => {
                let value = state.check_number(argument)?;
                out.extend(if format.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
                argument += 1;
            }
            b'c' | b's' => {
                let text = state.check_bytes(argument)?;
                argument += 1;
                let size = if item.size == 0 { text.len() } else { item.size };
                let Some(text) = text.get(..size) else {
                    return Err(state.argument_error(argument, "string too short"));
                };
                state.append(&mut out, text)?;
                if item.option == b's' {
                    out.push(0);
                }
            }
            option => format.control(option)?,
        }
    }
    state.push_bytes(&out);
    Ok(1)
}

fn get_integer(bytes: &[u8], big_endian: bool, signed: bool) -> f64 {
    let step = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let value = if big_endian { bytes.iter().fold(0, step) } else { bytes.iter().rev().fold(0, step) };
    if !signed {
        return value as f64;
    }
    // The shift wraps for what is wider than 64 bits, as the processor's does.
    let sign = u64::MAX.wrapping_shl((8 * bytes.len() as u32).wrapping_sub(1));
    let value = if value & sign == 0 { value } else { value | sign };
    value as i64 as f64
}

fn unpack(state: State) -> Outcome {
    let mut format = Format::new(&state)?;
    let data = state.check_bytes(2)?;
    let start = state.optional_integer(3, 1)?;
    // A negative offset is a huge one, as C's cast has it.
    let Some(mut position) = (start as usize).checked_sub(1) else {
        return Err(state.argument_error(3, "offset must be 1 or greater"));
    };
    let base = state.top();
    let too_short = || state.argument_error(2, "data string too short");
    while let Some(item) = format.next()? {
        position = position.saturating_add(format.padding(position, item));
        let mut size = item.size;
        let Some(bytes) = position.checked_add(size).and_then(|end| data.get(position..end)) else {
            return Err(too_short());
        };
        if !state.reserve(2) {
            return Err(state.error("stack overflow (too many results)"));
        }
        match item.option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                state.push_number(get_integer(bytes, format.big_endian, item.option.is_ascii_lowercase()));
            }
            b'x' => {}
            b'f' => {
                let bytes = bytes.try_into().unwrap_or_default();
                let value = if format.big_endian { f32::from_be_bytes(bytes) } else { f32::from_le_bytes(bytes) };
                state.push_number(value.into());
            }
            b'd' => {
                let bytes = bytes.try_into().unwrap_or_default();
                state.push_number(if format.big_endian {
                    f64::from_be_bytes(bytes)
                } else {
                    f64::from_le_bytes(bytes)
                });
            }
            b'c' if size == 0 => {
                // The length is the number before.
                let length = if state.top() > base { state.number(state.top()) } else { None };
                let Some(length) = length else {
                    return Err(state.error("format 'c0' needs a previous size"));
                };
                state.pop(1);
                size = truncate(length) as usize;
                let Some(bytes) = position.checked_add(size).and_then(|end| data.get(position..end)) else {
                    return Err(too_short());
                };
                state.push_bytes(bytes);
            }
            b'c' => state.push_bytes(bytes),
            b's' => {
                let rest = &data[position..];
                let Some(length) = rest.iter().position(|&byte| byte == 0) else {
                    return Err(state.error("unfinished string in data"));
                };
                state.push_bytes(&rest[..length]);
                size = length + 1;
            }
            option => format.control(option)?,
        }
        position += size;
    }
    state.push_number((position + 1) as f64);
    Ok(state.top() - base)
}

fn size(state: State) -> Outcome {
    let mut format = Format::new(&state)?;
    let mut position = 0usize;
    while let Some(item) = format.next()? {
        position += format.padding(position, item);
        match (item.option, item.size) {
            (b's', _) => return Err(state.argument_error(1, "option 's' has no fixed size")),
            (b'c', 0) => return Err(state.argument_error(1, "option 'c0' has no fixed size")),
            (option, _) if !option.is_ascii_alphanumeric() => format.control(option)?,
            _ => {}
        }
        position = position.saturating_add(item.size);
    }
    state.push_number(position as f64);
    Ok(1)
}

#[cfg(test)]
mod tests {
    use super::{get_integer, put_integer};

    #[test]
    fn integers_of_all_sizes_come_back() {
        for size in 1..=32 {
            for big_endian in [false, true] {
                for value in [0.0, 1.0, -1.0, 100.0, -100.0] {
                    let mut bytes = Vec::new();
                    put_integer(&mut bytes, value, size, big_endian);
                    assert_eq!(bytes.len(), size);
                    if size <= 8 {
                        assert_eq!(get_integer(&bytes, big_endian, true), value, "{size} bytes");
                    }
                }
            }
        }
    }
}
