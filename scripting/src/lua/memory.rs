//! What a script may take: memory, and time between two looks at whether it may go on.

use mlua::ffi;

use super::{Raise, State};

/// What Lua says when it is refused memory.
pub(crate) const OUT_OF_MEMORY: &str = "not enough memory";

impl State {
    /// Collects all garbage if there may be more of it than there is room left: Lua does not do so when it is refused
    /// memory.
    pub(crate) fn make_room(&self) {
        if self.shared().grown() > self.shared().room() {
            self.collect_garbage();
        }
    }

    /// Whether a script that has ended may have left so much garbage that it should be collected at once, so that the
    /// memory is there for others. `before` is what was used when it began: what collecting costs has been worked for then,
    /// since about as much was allocated as is looked through.
    #[inline]
    pub(crate) fn has_left_much(&self, before: usize) -> bool {
        /// Garbage that is left to Lua's own collector.
        const LITTLE: usize = 4 << 20;
        self.shared().used().saturating_sub(before) > before.max(LITTLE)
    }

    /// Collects all garbage.
    pub(crate) fn collect_garbage(&self) {
        let shared = self.shared();
        loop {
            let before = shared.used();
            shared.add_work(before);
            // SAFETY: no finalizer can run, since scripts cannot make userdata.
            unsafe {
                ffi::lua_gc(self.raw(), ffi::LUA_GCCOLLECT, 0);
            }
            shared.live.set(shared.used());
            shared.note_freed(before.saturating_sub(shared.used()));
            // Lua's buffer for concatenations gives back but some of its size each time.
            if shared.used() > before / 2 {
                return;
            }
        }
    }

    /// Whether what a callback has allocated, which is never refused, is within the limit.
    #[inline]
    pub(super) fn has_kept_to_limit(&self) -> bool {
        self.shared().has_room(0) || self.check_room(0).is_ok()
    }

    /// Raises if so many bytes, which a callback has built, leave no room for Lua's copy of them.
    pub(crate) fn check_room(&self, built: usize) -> Result<(), Raise> {
        if !self.shared().has_room(built) {
            self.collect_garbage();
        }
        if self.shared().has_room(built) { Ok(()) } else { Err(self.raise(OUT_OF_MEMORY.as_bytes())) }
    }

    /// For callbacks that loop, or do much at once: counts work, in units of what copying a byte takes. Raises if the
    /// script must end, or if so many bytes, which the callback has built, leave no room.
    #[inline]
    pub(crate) fn advance(&self, work: usize, built: usize) -> Result<(), Raise> {
        let shared = self.shared();
        let is_time = shared.has_worked(work);
        if !is_time && shared.has_room(built) { Ok(()) } else { self.look(built) }
    }

    #[cold]
    fn look(&self, built: usize) -> Result<(), Raise> {
        self.shared().note_freed(built);
        self.check_room(built)?;
        if self.shared().poll() { Ok(()) } else { Err(self.ended()) }
    }

    /// Appends to what a callback builds, if there is room for it.
    #[inline]
    pub(crate) fn append(&self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Raise> {
        self.advance(bytes.len(), out.len() + bytes.len())?;
        out.extend_from_slice(bytes);
        Ok(())
    }
}
