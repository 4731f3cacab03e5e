//! Lua functions written in safe Rust.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mlua::ffi::{self, lua_State};

use super::State;

/// An error on its way to Lua: the error value lies on top of the stack.
#[derive(Debug)]
#[must_use]
pub(crate) struct Raise(());

impl Raise {
    /// The value on top of the stack is the error.
    pub(crate) fn top() -> Self {
        Self(())
    }
}

/// What a callback answers: how many values on top of the stack it returns.
pub(crate) type Outcome = Result<c_int, Raise>;

/// The C function that stands for the Rust function `F`. Owns nothing, so that Lua may jump out of it.
pub(super) unsafe extern "C-unwind" fn enter<F: Fn(State) -> Outcome + Copy + 'static>(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state.
    let results = run::<F>(unsafe { State::new(l) });
    if results < 0 {
        // SAFETY: `run` has left the error on top of the stack, and this frame has nothing to drop.
        unsafe { ffi::lua_error(l) }
    }
    results
}

/// Calls `F`; answers the number of results, or -1 with the error on top of the stack.
fn run<F: Fn(State) -> Outcome + Copy + 'static>(state: State) -> c_int {
    const { assert!(size_of::<F>() == 0) };
    // SAFETY: `push_function` was given a value of this type, which is `Copy` and has no bytes.
    let function = unsafe { std::ptr::NonNull::<F>::dangling().read() };
    let shared = state.shared();
    let strict = shared.strict.replace(false);
    let outcome = catch_unwind(AssertUnwindSafe(|| function(state)));
    let results = match outcome {
        Ok(Ok(results)) if state.has_kept_to_limit() => results,
        Ok(Ok(_) | Err(Raise(()))) => -1,
        Err(panic) => {
            shared.keep_panic(panic);
            state.push_nil();
            -1
        }
    };
    shared.strict.set(strict);
    results
}
