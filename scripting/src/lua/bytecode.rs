//! What compiled functions do, read from the form in which Lua would store them.

use std::ffi::{c_int, c_void};

use mlua::ffi::{self, lua_State};

use super::{Kind, State};

/// The instruction that assigns to a global variable.
const SET_GLOBAL: u32 = 7;
/// The bits of an instruction that tell which one it is.
const OPERATION: u32 = 0x3f;
/// Signature, version, format, byte order, and the sizes of an int, a length, an instruction and a number.
const HEADER: [u8; 12] = [0x1b, b'L', b'u', b'a', 0x51, 0, 1, 4, 8, 4, 8, 0];

impl State {
    /// Whether the function on top, or one that is written within it, assigns to global variables. `true` if that cannot
    /// be told.
    pub(crate) fn assigns_globals(&self) -> bool {
        let mut code: Vec<u8> = Vec::new();
        if self.kind(self.top()) != Kind::Function {
            return true;
        }
        // SAFETY: a function is on top, and the writer is given what it expects. Nothing in this allocates or raises.
        let status = unsafe { ffi::lua_dump_(self.raw(), append, (&raw mut code).cast()) };
        if status != ffi::LUA_OK {
            return true;
        }
        code.strip_prefix(&HEADER).and_then(|rest| Reader { rest }.assigns_globals()).unwrap_or(true)
    }
}

/// Appends a piece to the `Vec<u8>` that `ud` is.
unsafe extern "C-unwind" fn append(_: *mut lua_State, piece: *const c_void, length: usize, ud: *mut c_void) -> c_int {
    // SAFETY: `assigns_globals` has given the vector, which nobody else uses meanwhile, and Lua a piece of that length.
    unsafe {
        if length > 0 {
            (*ud.cast::<Vec<u8>>()).extend_from_slice(std::slice::from_raw_parts(piece.cast(), length));
        }
    }
    0
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(i32::from_le_bytes(self.array()?)).ok()
    }

    fn skip_string(&mut self) -> Option<()> {
        let length = usize::try_from(u64::from_le_bytes(self.array()?)).ok()?;
        self.take(length).map(|_| ())
    }

    /// Reads a function; `None` if it does not look like one. It nests no deeper than the compiler does.
    fn assigns_globals(&mut self) -> Option<bool> {
        /// First and last line; upvalues, parameters, further arguments, size of the stack.
        const SIZES: usize = 4 + 4 + 4;
        self.skip_string()?;
        self.take(SIZES)?;
        let instructions = self.count()?;
        let code = self.take(instructions.checked_mul(4)?)?;
        let is_assignment =
            |bytes: &[u8]| bytes.first().is_some_and(|operation| u32::from(*operation) & OPERATION == SET_GLOBAL);
        let mut found = code.chunks_exact(4).any(is_assignment);
        for _ in 0..self.count()? {
            match c_int::from(self.array::<1>()?[0]) {
                ffi::LUA_TNIL => {}
                ffi::LUA_TBOOLEAN => self.take(1).map(|_| ())?,
                ffi::LUA_TNUMBER => self.take(8).map(|_| ())?,
                ffi::LUA_TSTRING => self.skip_string()?,
                _ => return None,
            }
        }
        for _ in 0..self.count()? {
            found |= self.assigns_globals()?;
        }
        let lines = self.count()?;
        self.take(lines.checked_mul(4)?)?;
        for _ in 0..self.count()? {
            self.skip_string()?;
            self.take(8)?;
        }
        for _ in 0..self.count()? {
            self.skip_string()?;
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::Machine;

    #[test]
    fn assignments_to_globals_are_found_wherever_they_are() {
        let machine = Machine::new(1 << 20);
        let state = machine.state();
        for (source, assigns) in [
            ("", false),
            ("return x, y.z, _G.x", false),
            ("local x x = 1 y.z = 2 y['a'] = 3", false),
            ("local a, b, c = 1.5, 'text', true return function(...) local x = ... x = a return x end", false),
            ("x = 1", true),
            ("local x, y x, y, z = 1, 2, 3", true),
            ("function f() end", true),
            ("local t = {} function t.f() end", false),
            ("return function() return function() x = nil end end", true),
            ("local function f(x) return function() x = 1 end end for i = 1, 9 do local i = i end", false),
            ("if nil then x = 1 end", true),
        ] {
            assert!(state.compile(source.as_bytes(), c"@test").is_ok(), "{source}");
            assert_eq!(state.assigns_globals(), assigns, "{source}");
            state.pop(1);
        }
        state.push_nil();
        assert!(state.assigns_globals());
    }
}
