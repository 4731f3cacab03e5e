//! Functions of Lua's base library in place of those that bad input can harm.

use std::ffi::c_int;

use crate::lua::numbers::processor_seconds;
use crate::lua::{Kind, Outcome, State};

/// Functions of Lua that scripts do not get.
const REMOVED: [&str; 6] = ["dofile", "loadfile", "print", "newproxy", "getfenv", "setfenv"];

/// Replaces functions in the table of globals.
pub(crate) fn install(state: &State, globals: c_int) {
    for name in REMOVED {
        state.push_nil();
        state.set_field(globals, name);
    }
    state.push_function(loadstring);
    state.set_field(globals, "loadstring");
    state.push_function(unpack);
    state.set_field(globals, "unpack");
    state.push_table(0, 1);
    state.push_function(clock);
    state.set_field(state.top() - 1, "clock");
    state.set_field(globals, "os");
}

/// Compiles text and answers the function, or nil and the compiler's message.
fn compile(state: &State, source: &[u8], name: &std::ffi::CStr) -> Outcome {
    match state.compile(source, name) {
        Ok(()) => Ok(1),
        Err(_) if state.shared().ending().is_some() => Err(state.ended()),
        Err(message) => {
            state.push_nil();
            state.push_bytes(&message);
            Ok(2)
        }
    }
}

fn loadstring(state: State) -> Outcome {
    let source = state.check_bytes(1)?;
    if !matches!(state.kind(2), Kind::None | Kind::Nil) {
        state.check_bytes(2)?;
    }
    let name = state.c_text(2).or_else(|| state.c_text(1)).unwrap_or_default();
    compile(&state, source, name)
}

fn unpack(state: State) -> Outcome {
    if state.kind(1) != Kind::Table {
        return Err(state.type_error(1, "table"));
    }
    let optional = |argument: c_int, default: i64| match state.optional_integer(argument, default) {
        Ok(value) => Ok(i64::from(value as i32)),
        Err(raise) => Err(raise),
    };
    let first = optional(2, 1)?;
    let last = optional(3, state.length(1) as i64)?;
    if first > last {
        return Ok(0);
    }
    let Some(count) = c_int::try_from(last - first + 1).ok().filter(|&count| state.reserve(count)) else {
        return Err(state.error("too many results to unpack"));
    };
    for index in first..=last {
        state.raw_get_index(1, index as c_int);
    }
    Ok(count)
}

/// Seconds of processor time that the process has used.
fn clock(state: State) -> Outcome {
    state.push_number(processor_seconds());
    Ok(1)
}
