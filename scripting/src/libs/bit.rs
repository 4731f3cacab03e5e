//! `bit`: operations on 32-bit integers.

use std::ffi::c_int;

use crate::lua::{Outcome, Raise, State};

/// Pushes the table `bit`.
pub(crate) fn push(state: &State) {
    state.push_table(0, 12);
    let bit = state.top();
    let set = |name: &str| state.set_field(bit, name);
    state.push_function(|state: State| answer(&state, bits(&state, 1)?));
    set("tobit");
    state.push_function(|state: State| answer(&state, !bits(&state, 1)?));
    set("bnot");
    state.push_function(|state: State| fold(state, |a, b| a & b));
    set("band");
    state.push_function(|state: State| fold(state, |a, b| a | b));
    set("bor");
    state.push_function(|state: State| fold(state, |a, b| a ^ b));
    set("bxor");
    state.push_function(|state: State| shift(state, |value, by| value << by));
    set("lshift");
    state.push_function(|state: State| shift(state, |value, by| value >> by));
    set("rshift");
    state.push_function(|state: State| shift(state, |value, by| (value as i32 >> by) as u32));
    set("arshift");
    state.push_function(|state: State| shift(state, u32::rotate_left));
    set("rol");
    state.push_function(|state: State| shift(state, u32::rotate_right));
    set("ror");
    state.push_function(|state: State| answer(&state, bits(&state, 1)?.swap_bytes()));
    set("bswap");
    state.push_function(to_hex);
    set("tohex");
}

/// The low 32 bits of an argument, rounded to the nearest even integer.
fn bits(state: &State, argument: c_int) -> Result<u32, Raise> {
    /// 2^52 + 2^51: a sum with it has its integer in the low bits.
    const SHIFTER: f64 = 6755399441055744.0;
    Ok((state.check_number(argument)? + SHIFTER).to_bits() as u32)
}

fn answer(state: &State, value: u32) -> Outcome {
    state.push_number((value as i32).into());
    Ok(1)
}

fn fold(state: State, operation: impl Fn(u32, u32) -> u32) -> Outcome {
    let mut value = bits(&state, 1)?;
    // Of several that are no numbers the last one is named, as in LuaBitOp.
    for argument in (2..=state.top()).rev() {
        value = operation(value, bits(&state, argument)?);
    }
    answer(&state, value)
}

fn shift(state: State, operation: impl Fn(u32, u32) -> u32) -> Outcome {
    let value = bits(&state, 1)?;
    let by = bits(&state, 2)? & 31;
    answer(&state, operation(value, by))
}

/// As many of the lowest digits as are asked for, in capitals for a negative count.
fn to_hex(state: State) -> Outcome {
    let value = bits(&state, 1)?;
    let count = match state.top() {
        ..=1 => 8,
        _ => bits(&state, 2)? as i32,
    };
    let text = if count < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
    let digits = (count.unsigned_abs() as usize).min(text.len());
    state.push_bytes(&text.as_bytes()[text.len() - digits..]);
    Ok(1)
}
