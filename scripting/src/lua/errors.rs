//! Errors on their way to Lua, and where they come from.

use std::ffi::{CStr, c_char, c_int};
use std::fmt;

use mlua::ffi;

use super::{Ending, Raise, State};

impl State {
    /// Raises an error with the caller's position before it, as `error` does.
    pub(crate) fn error(&self, message: impl fmt::Display) -> Raise {
        self.error_bytes(message.to_string().as_bytes())
    }

    /// As [`error`](Self::error), for text that need not be UTF-8.
    pub(crate) fn error_bytes(&self, message: &[u8]) -> Raise {
        let mut text = self.position(1);
        text.extend_from_slice(message);
        self.raise(&text)
    }

    /// An error needs a place; deep in a structure there may be none left.
    fn set_room_for_error(&self) {
        if !self.reserve(4) {
            self.pop(4.min(self.top()));
        }
    }

    /// `chunk:line: ` of the function at a level of the call stack; nothing for functions that are not in Lua.
    pub(crate) fn position(&self, level: c_int) -> Vec<u8> {
        self.set_room_for_error();
        // SAFETY: room for the text was made, and the allocator does not refuse.
        unsafe { ffi::luaL_where(self.raw(), level) };
        let text = self.bytes(self.top()).unwrap_or_default().to_vec();
        self.pop(1);
        text
    }

    /// Raises `bad argument #n to 'function' (message)`.
    pub(crate) fn argument_error(&self, mut argument: c_int, message: impl fmt::Display) -> Raise {
        let Some(function) = CallInfo::at(self, 0) else {
            return self.error(format_args!("bad argument #{argument} ({message})"));
        };
        let name = function.name.unwrap_or_else(|| "?".to_string());
        if function.is_method {
            argument -= 1;
            if argument == 0 {
                return self.error(format_args!("calling '{name}' on bad self ({message})"));
            }
        }
        self.error(format_args!("bad argument #{argument} to '{name}' ({message})"))
    }

    /// Raises `bad argument … (expected expected, got …)`.
    pub(crate) fn type_error(&self, argument: c_int, expected: &str) -> Raise {
        let found = self.kind(argument).name();
        self.argument_error(argument, format_args!("{expected} expected, got {found}"))
    }

    /// Raises a text as it is, without a position.
    pub(crate) fn raise(&self, text: &[u8]) -> Raise {
        self.set_room_for_error();
        self.push_bytes(text);
        Raise::top()
    }

    /// The error of a script that must end.
    pub(crate) fn ended(&self) -> Raise {
        let text: &[u8] = match (self.shared().ending(), self.shared().loading.borrow().is_some()) {
            (Some(Ending::Killed), true) => b"ERR FUNCTION LOAD timeout",
            _ => b"ERR Script killed by user with SCRIPT KILL...",
        };
        self.push_error_table(text);
        Raise::top()
    }

    /// Pushes `{err = text}`.
    pub(crate) fn push_error_table(&self, text: &[u8]) {
        self.set_room_for_error();
        self.push_table(0, 4);
        let table = self.top();
        self.push_bytes(text);
        self.set_field(table, "err");
    }

    /// Raises `{err = "ERR " .. text}`.
    pub(crate) fn error_table(&self, text: &str) -> Raise {
        self.push_error_table(format!("ERR {text}").as_bytes());
        Raise::top()
    }
}

/// What is known of a function on the call stack.
pub(crate) struct CallInfo {
    /// The name that it was called by.
    pub(crate) name: Option<String>,
    pub(crate) is_method: bool,
    /// Whether it is not written in Lua.
    pub(crate) is_native: bool,
    /// Its chunk, with the `@` or `=` in front.
    pub(crate) source: Vec<u8>,
    /// The line that it is at, or -1.
    pub(crate) line: c_int,
}

impl CallInfo {
    /// The function at a level of the call stack; 0 is the one that asks.
    pub(crate) fn at(state: &State, level: c_int) -> Option<Self> {
        // SAFETY: the record is plain data, filled by Lua; its texts are copied before anything else happens.
        unsafe {
            let mut record: ffi::lua_Debug = std::mem::zeroed();
            if ffi::lua_getstack(state.raw(), level, &mut record) == 0
                || ffi::lua_getinfo(state.raw(), c"nSl".as_ptr(), &mut record) == 0
            {
                return None;
            }
            let text = |text: *const c_char| if text.is_null() { &b""[..] } else { CStr::from_ptr(text).to_bytes() };
            Some(Self {
                name: (!record.name.is_null()).then(|| String::from_utf8_lossy(text(record.name)).into_owned()),
                is_method: text(record.namewhat) == b"method",
                is_native: text(record.what) == b"C",
                source: text(record.source).to_vec(),
                line: record.currentline,
            })
        }
    }
}
