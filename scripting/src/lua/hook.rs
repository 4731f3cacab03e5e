//! The way to stop a script that does not stop by itself.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mlua::ffi::{self, lua_Debug, lua_State};

use super::State;
use super::guards::must_end;

/// Instructions between two looks at whether to go on.
const INSTRUCTIONS: c_int = 100_000;

/// Installs the hook; coroutines get it from the state that makes them.
pub(crate) fn install(state: &State) {
    // SAFETY: the state is live, and the hook is a function.
    unsafe {
        ffi::lua_sethook(state.raw(), Some(on_count), ffi::LUA_MASKCOUNT, INSTRUCTIONS);
    }
}

unsafe extern "C-unwind" fn on_count(l: *mut lua_State, _: *mut lua_Debug) {
    // SAFETY: Lua calls this with a live state; this frame owns nothing when it raises.
    unsafe {
        ask(State::new(l));
        if must_end(l) {
            ffi::lua_error(l);
        }
    }
}

fn ask(state: State) {
    let shared = state.shared();
    state.make_room();
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| shared.poll())) {
        shared.keep_panic(panic);
    }
}
