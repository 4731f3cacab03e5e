//! What the rest of the crate sees of PUC Lua 5.1: a [`State`] with safe methods, and callbacks written in safe Rust.
//!
//! Lua reports errors by `longjmp`, which must not cross a Rust frame that has something to drop. Three rules keep it
//! from doing so, and with them all `unsafe` of the crate stays in this module:
//!
//! 1. Callbacks written in Rust ([`State::push_function`]) return their errors; only their outermost frame, which owns
//!    nothing, hands them to Lua.
//! 2. Inside such a callback the allocator never refuses ([`Allocator`](alloc)), so that no call into Lua can raise for
//!    want of memory. What was allocated too much is noticed when the callback returns, and where it loops
//!    ([`State::advance`]).
//! 3. [`State`] has no method that runs metamethods or other Lua code except [`State::protected_call`].
//!
//! Thin guards around Lua's own functions ([`guards`], [`costs`]) are written as C functions and own nothing at all; memory errors
//! may pass through them.

pub(crate) mod alloc;
pub(crate) mod bytecode;
pub(crate) mod callback;
pub(crate) mod compile;
pub(crate) mod costs;
pub(crate) mod errors;
pub(crate) mod guards;
pub(crate) mod hook;
pub(crate) mod machine;
pub(crate) mod memory;
pub(crate) mod numbers;
pub(crate) mod protect;
pub(crate) mod shared;
pub(crate) mod state;

pub(crate) use callback::{Outcome, Raise};
pub(crate) use shared::{Ending, Shared};
pub(crate) use state::{Kind, State};
