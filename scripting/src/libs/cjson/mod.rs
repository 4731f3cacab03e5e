//! `cjson`: JSON from and to Lua values.

mod decode;
mod encode;

use std::ffi::c_int;

use crate::lua::protect::protect;
use crate::lua::state::upvalue;
use crate::lua::{Kind, Outcome, Raise, State};

/// Settings of an instance of the library: their places in the settings that its functions share.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Setting {
    SparseConvert,
    SparseRatio,
    SparseSafe,
    EncodeDepth,
    DecodeDepth,
    EncodeInvalid,
    DecodeInvalid,
    Precision,
    KeepBuffer,
    ArrayMetatable,
}

const DEFAULTS: [i32; 10] = [0, 2, 10, 1000, 1000, 0, 1, 14, 1, 0];

/// Upvalues of every function: the settings, and the metatable of arrays.
const SETTINGS: c_int = upvalue(1);
const ARRAY_METATABLE: c_int = upvalue(2);

fn setting(state: &State, setting: Setting) -> i32 {
    state.setting(SETTINGS, setting as usize)
}

fn is_on(state: &State, which: Setting) -> bool {
    setting(state, which) != 0
}

/// Pushes the table `cjson`, with settings of its own.
pub(crate) fn push(state: &State) {
    state.push_table(0, 16);
    let cjson = state.top();
    state.push_settings(&DEFAULTS);
    state.push_table(0, 0);
    protect(state);
    let upvalues = cjson + 1;
    add(state, upvalues, "encode", encode::encode);
    add(state, upvalues, "decode", decode::decode);
    add(state, upvalues, "encode_sparse_array", encode_sparse_array);
    add(state, upvalues, "encode_max_depth", |state: State| depth(state, Setting::EncodeDepth));
    add(state, upvalues, "decode_max_depth", |state: State| depth(state, Setting::DecodeDepth));
    add(state, upvalues, "encode_number_precision", |state: State| {
        one_argument(&state)?;
        integer_option(&state, 1, Setting::Precision, 1, 14)
    });
    add(state, upvalues, "encode_keep_buffer", |state: State| {
        one_argument(&state)?;
        switch_option(&state, 1, Setting::KeepBuffer)
    });
    add(state, upvalues, "encode_invalid_numbers", encode_invalid_numbers);
    add(state, upvalues, "decode_invalid_numbers", |state: State| {
        one_argument(&state)?;
        switch_option(&state, 1, Setting::DecodeInvalid)
    });
    add(state, upvalues, "decode_array_with_array_mt", |state: State| {
        one_argument(&state)?;
        switch_option(&state, 1, Setting::ArrayMetatable)
    });
    add(state, upvalues, "new", |state: State| {
        push(&state);
        Ok(1)
    });
    state.set_top(cjson);
    state.push_pointer(std::ptr::null());
    state.set_field(cjson, "null");
    state.push_bytes(b"cjson");
    state.set_field(cjson, "_NAME");
    state.push_bytes(b"2.1.0");
    state.set_field(cjson, "_VERSION");
}

/// Adds a function to the library below the two upvalues.
fn add<F: Fn(State) -> Outcome + Copy + 'static>(state: &State, upvalues: c_int, name: &str, function: F) {
    state.push_value(upvalues);
    state.push_value(upvalues + 1);
    state.push_closure(function, 2);
    state.set_field(upvalues - 1, name);
}

/// Checks that there are no more arguments, and fills up with nil.
fn arguments(state: &State, count: c_int) -> Result<(), Raise> {
    if state.top() > count {
        return Err(state.argument_error(count + 1, "found too many arguments"));
    }
    state.set_top(count);
    Ok(())
}

fn one_argument(state: &State) -> Result<(), Raise> {
    arguments(state, 1)
}

/// Sets an integer if it is given, and answers what it is then.
fn integer_option(state: &State, argument: c_int, which: Setting, least: i32, most: i32) -> Outcome {
    if state.kind(argument) != Kind::Nil {
        let value = state.check_int(argument)?;
        if !(least..=most).contains(&value) {
            return Err(state.argument_error(1, format_args!("expected integer between {least} and {most}")));
        }
        state.set_setting(SETTINGS, which as usize, value);
    }
    state.push_number(setting(state, which).into());
    Ok(1)
}

/// The number of the option that an argument names.
fn named_option(state: &State, argument: c_int, options: &[&str]) -> Result<i32, Raise> {
    let name = state.check_bytes(argument)?;
    match options.iter().position(|option| option.as_bytes() == name) {
        Some(index) => Ok(index as i32),
        None => {
            let name = String::from_utf8_lossy(name);
            Err(state.argument_error(argument, format_args!("invalid option '{name}'")))
        }
    }
}

/// Sets a switch if it is given, and answers what it is then.
fn switch_option(state: &State, argument: c_int, which: Setting) -> Outcome {
    match state.kind(argument) {
        Kind::Nil => {}
        Kind::Boolean => state.set_setting(SETTINGS, which as usize, state.truth(argument).into()),
        _ => state.set_setting(SETTINGS, which as usize, named_option(state, argument, &["off", "on"])?),
    }
    state.push_boolean(is_on(state, which));
    Ok(1)
}

fn depth(state: State, which: Setting) -> Outcome {
    one_argument(&state)?;
    integer_option(&state, 1, which, 1, i32::MAX)
}

fn encode_sparse_array(state: State) -> Outcome {
    arguments(&state, 3)?;
    switch_option(&state, 1, Setting::SparseConvert)?;
    integer_option(&state, 2, Setting::SparseRatio, 0, i32::MAX)?;
    integer_option(&state, 3, Setting::SparseSafe, 0, i32::MAX)?;
    Ok(3)
}

/// What becomes of numbers that JSON has no text for.
const INVALID_OFF: i32 = 0;
const INVALID_ON: i32 = 1;

fn encode_invalid_numbers(state: State) -> Outcome {
    one_argument(&state)?;
    let which = Setting::EncodeInvalid;
    match state.kind(1) {
        Kind::Nil => {}
        Kind::Boolean => state.set_setting(SETTINGS, which as usize, state.truth(1).into()),
        _ => state.set_setting(SETTINGS, which as usize, named_option(&state, 1, &["off", "on", "null"])?),
    }
    match setting(&state, which) {
        INVALID_OFF => state.push_boolean(false),
        INVALID_ON => state.push_boolean(true),
        _ => state.push_bytes(b"null"),
    }
    Ok(1)
}
