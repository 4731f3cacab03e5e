//! Guards in front of functions of Lua's library that may take long in a single call, or in a few thousand: they count
//! the work, so that the host is asked whether to go on.
//!
//! C functions, like those of [`guards`](super::guards). What makes something large is not among them, since the allocator
//! counts that.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

use super::guards::{must_end, original, refuses};
use super::hook::HEAVY;
use super::{Kind, State};

/// How far below its end `table.insert` may be asked to begin; it moves all elements from there on in one go.
const MOST_BELOW: f64 = -1_000_000.0;
/// What moving or looking at an element takes, in units of work.
const ELEMENT: usize = 16;

/// Counts work, asks the host if it is time, and raises if the script must end.
///
/// # Safety
/// The state must be live, and the caller's frame must own nothing.
unsafe fn charge(l: *mut lua_State, units: usize) {
    // SAFETY: by the caller.
    unsafe {
        let state = State::new(l);
        if state.shared().has_worked(units) {
            state.shared().poll_caught();
            if must_end(l) {
                ffi::lua_error(l);
            }
        }
    }
}

/// How many elements the first argument has, if it is a table.
///
/// # Safety
/// The state must be live.
unsafe fn elements(l: *mut lua_State) -> usize {
    // SAFETY: by the caller.
    let state = unsafe { State::new(l) };
    if state.kind(1) == Kind::Table { state.length(1) } else { 0 }
}

/// Charges for the elements that move when one is put in or taken out in the place that is the second of `count` arguments.
///
/// # Safety
/// As for [`charge`].
unsafe fn charge_for_moving(l: *mut lua_State, count: c_int) {
    // SAFETY: by the caller.
    unsafe {
        if ffi::lua_gettop(l) == count {
            let after = elements(l) as f64 - ffi::lua_tonumber(l, 2);
            charge(l, (after.max(0.0) as usize).saturating_mul(ELEMENT));
        }
    }
}

pub(super) unsafe extern "C-unwind" fn insert(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state.
    unsafe {
        if refuses(l, 1) {
            ffi::lua_error(l);
        }
        let is_table = State::new(l).kind(1) == Kind::Table;
        if is_table && ffi::lua_gettop(l) == 3 && ffi::lua_tonumber(l, 2) < MOST_BELOW {
            return ffi::luaL_argerror(l, 2, c"position out of bounds".as_ptr());
        }
        charge_for_moving(l, 3);
        original(l, |originals| originals.insert)(l)
    }
}

pub(super) unsafe extern "C-unwind" fn remove(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state.
    unsafe {
        charge_for_moving(l, 2);
        original(l, |originals| originals.remove)(l)
    }
}

pub(super) unsafe extern "C-unwind" fn concat(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state.
    unsafe {
        charge(l, elements(l) * ELEMENT);
        original(l, |originals| originals.concat)(l)
    }
}

/// Looks through the whole table, of which only the memory of all tables tells how large it may be.
pub(super) unsafe extern "C-unwind" fn maxn(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state.
    unsafe {
        charge(l, State::new(l).shared().used() / 2);
        original(l, |originals| originals.maxn)(l)
    }
}

/// `tonumber`, which reads long strings to their end.
pub(super) unsafe extern "C-unwind" fn tonumber(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state.
    unsafe {
        if ffi::lua_type(l, 1) == ffi::LUA_TSTRING {
            charge(l, ffi::lua_objlen(l, 1));
        }
        original(l, |originals| originals.tonumber)(l)
    }
}

/// `table.sort`, which takes quadratic time if somebody has arranged the elements for that. With a function to compare by,
/// the hook sees to it that it can be ended. Without one it is given one, except where few elements are soon compared.
pub(super) unsafe extern "C-unwind" fn sort(l: *mut lua_State) -> c_int {
    const FEW: usize = 1000;
    // SAFETY: Lua calls this with a live state and room for 20 values.
    unsafe {
        let is_long = elements(l) > FEW || State::new(l).shared().used() > HEAVY;
        if is_long && ffi::lua_type(l, 2) <= ffi::LUA_TNIL {
            ffi::lua_settop(l, 1);
            ffi::lua_pushcclosure(l, is_less, 0);
        }
        original(l, |originals| originals.sort)(l)
    }
}

/// The `<` of two arguments.
unsafe extern "C-unwind" fn is_less(l: *mut lua_State) -> c_int {
    /// What calling this takes.
    const CALL: usize = 64;
    // SAFETY: only `table.sort` calls this, with two arguments.
    unsafe {
        let both_strings = ffi::lua_type(l, 1) == ffi::LUA_TSTRING && ffi::lua_type(l, 2) == ffi::LUA_TSTRING;
        let length = if both_strings { ffi::lua_objlen(l, 1).min(ffi::lua_objlen(l, 2)) } else { 0 };
        charge(l, CALL + length);
        let less = ffi::lua_lessthan(l, 1, 2);
        ffi::lua_pushboolean(l, less);
    }
    1
}

/// `collectgarbage`, except that a script cannot turn the collector off or slow it down for those after it.
pub(super) unsafe extern "C-unwind" fn collectgarbage(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state and room for 20 values.
    unsafe {
        let state = State::new(l);
        let unchanged = match state.kind(1) {
            Kind::String => match state.bytes(1) {
                Some(b"stop" | b"restart") => Some(0.0),
                Some(b"setpause" | b"setstepmul") => Some(200.0),
                _ => None,
            },
            _ => None,
        };
        match unchanged {
            Some(answer) => {
                state.push_number(answer);
                1
            }
            None => {
                let results = original(l, |originals| originals.collectgarbage)(l);
                // Tells how much there is to be looked through.
                charge(l, state.shared().used());
                results
            }
        }
    }
}
