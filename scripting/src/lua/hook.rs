//! The way to stop a script that does not stop by itself.

use std::ffi::c_int;

use mlua::ffi::{self, lua_Debug, lua_State};

use super::State;
use super::guards::must_end;

/// Instructions between two looks at whether to go on.
const INSTRUCTIONS: c_int = 5000;
/// The same once there is much in memory, since a single instruction can take as long then as there are bytes to compare.
const INSTRUCTIONS_IF_HEAVY: c_int = 200;
/// How much is much.
pub(super) const HEAVY: usize = 16 << 20;

/// Installs the hook; coroutines get it from the state that makes them.
pub(crate) fn install(state: &State) {
    set_count(state, INSTRUCTIONS);
}

fn set_count(state: &State, instructions: c_int) {
    // SAFETY: the state is live, and the hook is a function.
    unsafe {
        ffi::lua_sethook(state.raw(), Some(on_count), ffi::LUA_MASKCOUNT, instructions);
    }
}

unsafe extern "C-unwind" fn on_count(l: *mut lua_State, _: *mut lua_Debug) {
    // SAFETY: Lua calls this with a live state; this frame owns nothing when it raises.
    unsafe {
        let state = State::new(l);
        state.make_room();
        state.shared().poll_caught();
        if must_end(l) {
            ffi::lua_error(l);
        }
        let instructions = if state.shared().used() > HEAVY { INSTRUCTIONS_IF_HEAVY } else { INSTRUCTIONS };
        if ffi::lua_gethookcount(l) != instructions {
            set_count(&state, instructions);
        }
    }
}
