//! Source text to functions.

use std::ffi::{CStr, c_char, c_void};

use mlua::ffi::{self, lua_State};

use super::State;

/// The byte that precompiled code begins with.
pub(super) const PRECOMPILED: u8 = 0x1b;

impl State {
    /// Pushes the function that a text is the source of; the compiler's message, popped, if it is none.
    ///
    /// Never reads precompiled code: a chunk that begins like it is given to the compiler as text.
    pub(crate) fn compile(&self, source: &[u8], name: &CStr) -> Result<(), Vec<u8>> {
        let shared = self.shared();
        let starts_as_text = source.first() != Some(&PRECOMPILED);
        let mut pieces = Pieces { first: if starts_as_text { b"" } else { b" " }, rest: source };
        // The name is on the stack while the compiler works, because the compiler's own reference does not keep it.
        self.push_bytes(name.to_bytes());
        let strict = shared.strict.replace(true);
        // SAFETY: the reader is given what it expects, the name ends with a zero byte, and errors are reported, not
        // raised, those of memory included.
        let status = unsafe { ffi::lua_load(self.raw(), next_piece, (&raw mut pieces).cast(), name.as_ptr()) };
        shared.strict.set(strict);
        self.remove(self.top() - 1);
        if status == ffi::LUA_OK && shared.ending().is_none() {
            return Ok(());
        }
        let message = self.bytes(self.top()).unwrap_or_default().to_vec();
        self.pop(1);
        Err(message)
    }
}

/// A text on its way to the compiler.
struct Pieces<'a> {
    first: &'static [u8],
    rest: &'a [u8],
}

/// Gives the compiler the next piece of a [`Pieces`], which is `ud`. There is none for a script that must end.
unsafe extern "C-unwind" fn next_piece(l: *mut lua_State, ud: *mut c_void, length: *mut usize) -> *const c_char {
    const LONGEST: usize = 64 * 1024;
    /// Compiling takes about so many times as long as copying.
    const WORK: usize = 32;
    // SAFETY: `compile` has given a `Pieces` that nobody else uses meanwhile, and Lua a place for the length.
    unsafe {
        let pieces = &mut *ud.cast::<Pieces<'_>>();
        let (piece, rest) = match pieces.first {
            b"" => pieces.rest.split_at(pieces.rest.len().min(LONGEST)),
            first => (first, pieces.rest),
        };
        (pieces.first, pieces.rest) = (b"", rest);
        let state = State::new(l);
        let shared = state.shared();
        if piece.is_empty() || (shared.has_worked(WORK * piece.len()) && !shared.poll_caught()) {
            length.write(0);
            return std::ptr::null();
        }
        length.write(piece.len());
        piece.as_ptr().cast()
    }
}
