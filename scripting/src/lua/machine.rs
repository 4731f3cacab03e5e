//! The life of a Lua state.

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;

use mlua::ffi::{self, lua_State};

use super::alloc::allocate;
use super::{Shared, State};

/// Lua's own libraries that scripts have.
const LIBRARIES: [(&str, ffi::lua_CFunction); 4] = [
    ("", ffi::luaopen_base),
    ("table", ffi::luaopen_table),
    ("string", ffi::luaopen_string),
    ("math", ffi::luaopen_math),
];

/// A Lua state and what belongs to it. Stays on the thread that made it.
pub(crate) struct Machine {
    l: NonNull<lua_State>,
    /// From `Box::into_raw`; Lua's allocator points here.
    shared: NonNull<Shared>,
}

impl Machine {
    /// A state that has nothing in it.
    ///
    /// # Panics
    /// If the process has no memory for it.
    pub(crate) fn new(memory_limit: usize) -> Self {
        let shared = NonNull::from(Box::leak(Box::new(Shared::new(memory_limit))));
        let ud: *mut c_void = shared.as_ptr().cast();
        // SAFETY: the allocator is given what it expects, and that lives until the state is closed.
        let l = unsafe { ffi::lua_newstate(allocate, ud) };
        let Some(l) = NonNull::new(l) else { panic!("no memory for a Lua state") };
        Self { l, shared }
    }

    pub(crate) fn state(&self) -> State {
        // SAFETY: the state lives as long as this value; whoever keeps a `State` keeps the machine, too.
        unsafe { State::new(self.l.as_ptr()) }
    }

    /// Opens Lua's own libraries.
    ///
    /// # Panics
    /// If the memory limit does not even allow that.
    pub(crate) fn open_libraries(&self) {
        let state = self.state();
        for (name, open) in LIBRARIES {
            state.push_raw_closure(open, 0);
            state.push_bytes(name.as_bytes());
            assert!(state.protected_call(1, Some(0), 0).is_ok(), "Lua's libraries do not open");
        }
    }

    /// Bytes that were freed at once since this was last asked, if that was much.
    #[inline]
    pub(crate) fn take_freed(&self) -> usize {
        self.state().shared().take_freed()
    }

    /// Bytes of memory that Lua holds.
    pub(crate) fn memory(&self) -> usize {
        self.state().shared().used()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // SAFETY: the state is live and not running, and nothing uses `shared` any more once it is closed.
        unsafe {
            ffi::lua_close(self.l.as_ptr());
            drop(Box::from_raw(self.shared.as_ptr()));
        }
    }
}

impl State {
    /// Makes the table on top (popped) the table of globals.
    pub(crate) fn replace_globals(&self) {
        debug_assert_eq!(self.kind(self.top()), super::Kind::Table);
        // SAFETY: a table is on top.
        unsafe { ffi::lua_replace(self.raw(), GLOBALS) }
    }
}

/// Place of the table of globals.
pub(crate) const GLOBALS: c_int = ffi::LUA_GLOBALSINDEX;
