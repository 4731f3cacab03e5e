//! Lua scripts and functions: the virtual machine, its sandbox and its libraries.
//!
//! [`Engine`] runs scripts, [`Functions`] the functions of libraries; each thread has its own. What they ask of the
//! server goes through the trait [`Host`].
//!
//! # Decisions
//!
//! - **PUC Lua 5.1, not LuaJIT.** Scripts must behave as in Redis, which has PUC 5.1: the order of `pairs`, the texts and
//!   positions of errors, limits of stack and nesting, what `string.format` and `tostring` print. LuaJIT differs in each.
//!   And its compiled code does not call count hooks, so that an endless loop could be stopped only with the compiler
//!   turned off, that is without what it is quick by.
//! - **`mlua` for the language, its bindings for the engine.** `mlua` builds Lua and declares its C interface; its
//!   high-level types are not used, because they wrap errors and panics in userdata that scripts would see (`pcall` must
//!   give them strings and tables), and because they protect each access on its own. The rules that make the bare
//!   interface safe stand in `lua/mod.rs`, the only place with `unsafe` in it.
//! - **Read-only tables are views** (`lua/protect.rs`), since Redis's patched Lua, whose tables can be locked, is not the
//!   one that `mlua` builds.
//! - **Patterns are our own** (`libs/strings`): Lua's recurse without a limit and cannot be interrupted.

mod engine;
mod functions;
mod host;
mod libs;
mod lua;
mod random;
mod redis;
mod script;
mod vm;

pub use engine::Engine;
pub use functions::{Function, Functions, Library};
pub use host::{Flow, Host, LogLevel, Replication};
pub use script::{Flags, Header, Sha};
pub use vm::{Compiled, End};

/// What an engine must know from the start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes that the virtual machine may hold. A script that wants more gets Lua's error `not enough memory`.
    pub memory_limit: usize,
    /// What scripts find in `redis.REDIS_VERSION`, such as `8.0.2`.
    pub redis_version: String,
}
