//! The stack of a Lua state, without the parts of its interface that can raise errors.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::NonNull;

use mlua::ffi::{self, lua_State};

use super::Shared;
use super::callback::{Outcome, Raise, enter};
use super::numbers::truncate;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    None,
    Nil,
    Boolean,
    LightUserdata,
    Number,
    String,
    Table,
    Function,
    Userdata,
    Thread,
}

impl Kind {
    fn from_raw(raw: c_int) -> Self {
        match raw {
            ffi::LUA_TNIL => Self::Nil,
            ffi::LUA_TBOOLEAN => Self::Boolean,
            ffi::LUA_TLIGHTUSERDATA => Self::LightUserdata,
            ffi::LUA_TNUMBER => Self::Number,
            ffi::LUA_TSTRING => Self::String,
            ffi::LUA_TTABLE => Self::Table,
            ffi::LUA_TFUNCTION => Self::Function,
            ffi::LUA_TUSERDATA => Self::Userdata,
            ffi::LUA_TTHREAD => Self::Thread,
            _ => Self::None,
        }
    }

    /// The name that scripts know it by.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "no value",
            Self::Nil => "nil",
            Self::Boolean => "boolean",
            Self::LightUserdata | Self::Userdata => "userdata",
            Self::Number => "number",
            Self::String => "string",
            Self::Table => "table",
            Self::Function => "function",
            Self::Thread => "thread",
        }
    }
}

/// Place of a callback's `n`-th upvalue.
pub(crate) const fn upvalue(n: c_int) -> c_int {
    ffi::lua_upvalueindex(n)
}

/// A Lua state (or a coroutine of it), for as long as a callback runs.
///
/// Places are counted from 1 at the bottom, or are an [`upvalue`]; a place above the top reads as
/// nothing. There is room for twenty values more than a callback was given: whoever pushes more, or loops, must
/// [`reserve`](Self::reserve).
#[derive(Clone, Copy)]
pub(crate) struct State {
    l: *mut lua_State,
    shared: NonNull<Shared>,
}

impl State {
    /// # Safety
    /// The state must be a live one of a `Vm`, and stay so while this value is used.
    #[inline]
    pub(super) unsafe fn new(l: *mut lua_State) -> Self {
        let mut ud = std::ptr::null_mut();
        // SAFETY: the state is live by the caller; its allocator was installed with the `Shared` that outlives it.
        let shared = unsafe {
            ffi::lua_getallocf(l, &mut ud);
            NonNull::new_unchecked(ud.cast())
        };
        Self { l, shared }
    }

    pub(super) fn raw(self) -> *mut lua_State {
        self.l
    }

    /// What belongs to the virtual machine.
    #[inline]
    pub(crate) fn shared(&self) -> &Shared {
        // SAFETY: it lives longer than the state, and is only ever shared.
        unsafe { self.shared.as_ref() }
    }

    /// How many values are on the stack.
    #[inline]
    pub(crate) fn top(&self) -> c_int {
        // SAFETY: the state is live.
        unsafe { ffi::lua_gettop(self.l) }
    }

    /// Cuts the stack to, or fills it with nils up to, `top` values. Filling needs room.
    #[inline]
    pub(crate) fn set_top(&self, top: c_int) {
        debug_assert!(top >= 0);
        // SAFETY: callers give a count from `top()` or a small number within the reserved room.
        unsafe { ffi::lua_settop(self.l, top.max(0)) }
    }

    /// Drops the topmost values.
    #[inline]
    pub(crate) fn pop(&self, count: c_int) {
        debug_assert!(count <= self.top());
        // SAFETY: the caller has pushed that many.
        unsafe { ffi::lua_settop(self.l, -count - 1) }
    }

    /// Makes room for so many more values; `false` if there can be none.
    #[inline]
    pub(crate) fn reserve(&self, count: c_int) -> bool {
        // SAFETY: the state is live; growing the stack is protected.
        count <= ffi_limits::MAX_STACK && unsafe { ffi::lua_checkstack(self.l, count) != 0 }
    }

    /// As [`reserve`](Self::reserve), with Lua's error.
    pub(crate) fn check_stack(&self, count: c_int, what: &str) -> Result<(), Raise> {
        if self.reserve(count) { Ok(()) } else { Err(self.error(format_args!("stack overflow ({what})"))) }
    }

    /// The type of the value at a place.
    #[inline]
    pub(crate) fn kind(&self, index: c_int) -> Kind {
        // SAFETY: places above the top are allowed here.
        Kind::from_raw(unsafe { ffi::lua_type(self.l, index) })
    }

    /// Whether the value counts as true.
    pub(crate) fn truth(&self, index: c_int) -> bool {
        // SAFETY: as in `kind`.
        unsafe { ffi::lua_toboolean(self.l, index) != 0 }
    }

    /// The number at a place; strings that read as numbers count.
    #[inline]
    pub(crate) fn number(&self, index: c_int) -> Option<f64> {
        // SAFETY: as in `kind`.
        unsafe {
            let value = ffi::lua_tonumber(self.l, index);
            if value != 0.0 || ffi::lua_isnumber(self.l, index) != 0 { Some(value) } else { None }
        }
    }

    /// The bytes of the string at a place; a number there becomes a string. Good while that string is on the stack.
    #[inline]
    pub(crate) fn bytes(&self, index: c_int) -> Option<&[u8]> {
        let mut length = 0;
        // SAFETY: Lua's strings do not move, and callers keep the string on the stack while they use its bytes.
        unsafe {
            let text = ffi::lua_tolstring(self.l, index, &mut length);
            if text.is_null() { None } else { Some(std::slice::from_raw_parts(text.cast(), length)) }
        }
    }

    /// The same bytes up to the first zero byte, as C reads them.
    pub(crate) fn c_text(&self, index: c_int) -> Option<&CStr> {
        // SAFETY: as in `bytes`; Lua puts a zero byte behind every string.
        unsafe {
            let text = ffi::lua_tolstring(self.l, index, std::ptr::null_mut());
            if text.is_null() { None } else { Some(CStr::from_ptr(text)) }
        }
    }

    /// An address that tells tables, functions and userdata apart.
    pub(crate) fn address(&self, index: c_int) -> *const c_void {
        // SAFETY: as in `kind`.
        unsafe { ffi::lua_topointer(self.l, index) }
    }

    /// The pointer in the userdata at a place; null for other values.
    pub(crate) fn userdata(&self, index: c_int) -> *mut c_void {
        // SAFETY: as in `kind`.
        unsafe { ffi::lua_touserdata(self.l, index) }
    }

    /// Length of a table (its border) or string.
    pub(crate) fn length(&self, index: c_int) -> usize {
        // SAFETY: as in `kind`; no metamethod is asked in Lua 5.1.
        unsafe { ffi::lua_objlen(self.l, index) }
    }

    #[inline]
    pub(crate) fn push_nil(&self) {
        // SAFETY: there is room (see the type).
        unsafe { ffi::lua_pushnil(self.l) }
    }

    #[inline]
    pub(crate) fn push_boolean(&self, value: bool) {
        // SAFETY: there is room (see the type).
        unsafe { ffi::lua_pushboolean(self.l, value.into()) }
    }

    #[inline]
    pub(crate) fn push_number(&self, value: f64) {
        // SAFETY: there is room (see the type).
        unsafe { ffi::lua_pushnumber(self.l, value) }
    }

    #[inline]
    pub(crate) fn push_bytes(&self, value: &[u8]) {
        // SAFETY: there is room (see the type), and the allocator does not refuse.
        unsafe { ffi::lua_pushlstring_(self.l, value.as_ptr().cast::<c_char>(), value.len()) }
    }

    /// Pushes a pointer as a value; null is what `cjson.null` is.
    pub(crate) fn push_pointer(&self, value: *const c_void) {
        // SAFETY: there is room (see the type); the pointer is not followed.
        unsafe { ffi::lua_pushlightuserdata(self.l, value.cast_mut()) }
    }

    /// Pushes a copy of the value at a place.
    #[inline]
    pub(crate) fn push_value(&self, index: c_int) {
        // SAFETY: there is room (see the type).
        unsafe { ffi::lua_pushvalue(self.l, index) }
    }

    /// Pushes an empty table that has room for so many elements and fields.
    #[inline]
    pub(crate) fn push_table(&self, elements: usize, fields: usize) {
        let clamp = |count: usize| count.min(1 << 20) as c_int;
        // SAFETY: there is room (see the type), the allocator does not refuse, and the sizes are possible ones.
        unsafe { ffi::lua_createtable(self.l, clamp(elements), clamp(fields)) }
    }

    /// Pushes a userdata that holds integers: settings that closures share as an upvalue.
    pub(crate) fn push_settings(&self, settings: &[i32]) {
        // SAFETY: there is room (see the type), the allocator does not refuse, and the block is as long as the copy.
        unsafe {
            let block = ffi::lua_newuserdata(self.l, size_of_val(settings));
            std::ptr::copy_nonoverlapping(settings.as_ptr(), block.cast(), settings.len());
        }
    }

    /// The address of one of the settings in the userdata at a place.
    fn setting_address(&self, index: c_int, which: usize) -> Option<*mut i32> {
        let is_there = self.kind(index) == Kind::Userdata && which < self.length(index) / size_of::<i32>();
        // SAFETY: the userdata is that long; only `push_settings` makes any.
        is_there.then(|| unsafe { self.userdata(index).cast::<i32>().add(which) })
    }

    /// One of the settings at a place.
    pub(crate) fn setting(&self, index: c_int, which: usize) -> i32 {
        // SAFETY: the address is inside a userdata that was filled when it was made.
        self.setting_address(index, which).map_or(0, |address| unsafe { address.read() })
    }

    /// Changes one of the settings at a place.
    pub(crate) fn set_setting(&self, index: c_int, which: usize, value: i32) {
        if let Some(address) = self.setting_address(index, which) {
            // SAFETY: as in `setting`; nobody holds a reference to it.
            unsafe { address.write(value) };
        }
    }

    /// Pushes a function that takes `upvalues` values from the top with it.
    pub(crate) fn push_closure<F: Fn(State) -> Outcome + Copy + 'static>(&self, _function: F, upvalues: c_int) {
        self.push_raw_closure(enter::<F>, upvalues);
    }

    /// Pushes a function.
    pub(crate) fn push_function<F: Fn(State) -> Outcome + Copy + 'static>(&self, function: F) {
        self.push_closure(function, 0);
    }

    pub(super) fn push_raw_closure(&self, function: ffi::lua_CFunction, upvalues: c_int) {
        debug_assert!(upvalues <= self.top());
        // SAFETY: there is room (see the type), and the upvalues were pushed.
        unsafe { ffi::lua_pushcclosure(self.l, function, upvalues) }
    }

    /// Moves the top value to a place and those from there on up by one.
    pub(crate) fn insert(&self, index: c_int) {
        debug_assert!((1..=self.top()).contains(&index));
        // SAFETY: the place is on the stack.
        unsafe { ffi::lua_insert(self.l, index) }
    }

    /// Takes the value at a place out of the stack.
    pub(crate) fn remove(&self, index: c_int) {
        debug_assert!((1..=self.top()).contains(&index));
        // SAFETY: the place is on the stack.
        unsafe { ffi::lua_remove(self.l, index) }
    }

    /// Puts the top value at a place instead of the one there.
    pub(crate) fn replace(&self, index: c_int) {
        debug_assert!((1..=self.top()).contains(&index));
        // SAFETY: the place is on the stack.
        unsafe { ffi::lua_replace(self.l, index) }
    }

    fn is_table(&self, index: c_int) -> bool {
        self.kind(index) == Kind::Table
    }

    /// Pushes the value of a field of the table at a place, without metamethods; nil if that is no table.
    pub(crate) fn raw_field(&self, table: c_int, name: &str) -> Kind {
        self.push_bytes(name.as_bytes());
        self.raw_get(table)
    }

    /// Replaces the key on top by its value in a table, without metamethods; by nil if that is no table.
    #[inline]
    pub(crate) fn raw_get(&self, table: c_int) -> Kind {
        if !self.is_table(table) {
            self.pop(1);
            self.push_nil();
            return Kind::Nil;
        }
        // SAFETY: it is a table, and a key is on top.
        unsafe { ffi::lua_rawget_(self.l, table) };
        self.kind(self.top())
    }

    /// Pushes an element of the table at a place, without metamethods; nil if that is no table.
    #[inline]
    pub(crate) fn raw_get_index(&self, table: c_int, index: c_int) -> Kind {
        if !self.is_table(table) {
            self.push_nil();
            return Kind::Nil;
        }
        // SAFETY: it is a table.
        unsafe {
            ffi::lua_rawgeti_(self.l, table, index);
            Kind::from_raw(ffi::lua_type(self.l, -1))
        }
    }

    /// Sets the key below the top to the value on top, without metamethods, and pops both. Keys that no table can have
    /// (nil and NaN) are left out.
    #[inline]
    pub(crate) fn raw_set(&self, table: c_int) {
        let key = self.top() - 1;
        let allowed = match self.kind(key) {
            Kind::Nil | Kind::None => false,
            Kind::Number => self.number(key).is_some_and(|key| !key.is_nan()),
            _ => true,
        };
        if allowed && self.is_table(table) {
            // SAFETY: it is a table, key and value are on top, and the key cannot be refused.
            unsafe { ffi::lua_rawset(self.l, table) }
        } else {
            self.pop(2);
        }
    }

    /// Sets an element of a table to the value on top, without metamethods, and pops it.
    #[inline]
    pub(crate) fn raw_set_index(&self, table: c_int, index: c_int) {
        if self.is_table(table) {
            // SAFETY: it is a table, and a value is on top.
            unsafe { ffi::lua_rawseti_(self.l, table, index) }
        } else {
            self.pop(1);
        }
    }

    /// Sets a field of a table to the value on top, without metamethods, and pops it.
    pub(crate) fn set_field(&self, table: c_int, name: &str) {
        self.push_bytes(name.as_bytes());
        self.insert(self.top() - 1);
        self.raw_set(table);
    }

    /// Steps through a table: replaces the key on top by the next key and its value; `false`, with the key popped, at
    /// the end. The key must be nil or come from the step before, and the table must not have changed.
    #[inline]
    pub(crate) fn next(&self, table: c_int) -> bool {
        debug_assert!(self.is_table(table));
        // SAFETY: it is a table, and with a key of its own no error can come up.
        unsafe { ffi::lua_next(self.l, table) != 0 }
    }

    /// Pushes the metatable of a value; pushes nothing and answers `false` if it has none.
    pub(crate) fn metatable(&self, index: c_int) -> bool {
        // SAFETY: as in `kind`.
        unsafe { ffi::lua_getmetatable(self.l, index) != 0 }
    }

    /// Makes the table on top (popped) the metatable of the value at a place.
    pub(crate) fn set_metatable(&self, index: c_int) {
        debug_assert!(matches!(self.kind(self.top()), Kind::Table | Kind::Nil));
        // SAFETY: a table or nil is on top.
        unsafe {
            ffi::lua_setmetatable(self.l, index);
        }
    }

    /// Makes the table on top (popped) the one in which the function at a place finds its global variables.
    pub(crate) fn set_environment(&self, function: c_int) {
        debug_assert!(self.kind(function) == Kind::Function && self.is_table(self.top()));
        // SAFETY: a table is on top, and the place holds a function.
        unsafe {
            ffi::lua_setfenv(self.l, function);
        }
    }

    /// Whether two values are the same one.
    pub(crate) fn same(&self, a: c_int, b: c_int) -> bool {
        // SAFETY: as in `kind`.
        unsafe { ffi::lua_rawequal(self.l, a, b) != 0 }
    }

    /// Keeps the value on top (popped) in the registry; the answer finds it there.
    pub(crate) fn keep(&self) -> c_int {
        // SAFETY: a value is on top, and the allocator does not refuse.
        unsafe { ffi::luaL_ref(self.l, ffi::LUA_REGISTRYINDEX) }
    }

    /// Keeps the value on top (popped) in the place of another.
    pub(crate) fn keep_as(&self, kept: c_int) {
        // SAFETY: a value is on top, the registry is a table, and the allocator does not refuse.
        unsafe { ffi::lua_rawseti_(self.l, ffi::LUA_REGISTRYINDEX, kept) }
    }

    /// Drops what [`keep`](Self::keep) has kept.
    pub(crate) fn forget(&self, kept: c_int) {
        // SAFETY: the registry is a table.
        unsafe { ffi::luaL_unref(self.l, ffi::LUA_REGISTRYINDEX, kept) }
    }

    /// Pushes what was kept.
    #[inline]
    pub(crate) fn push_kept(&self, kept: c_int) {
        // SAFETY: the registry is a table.
        unsafe { ffi::lua_rawgeti_(self.l, ffi::LUA_REGISTRYINDEX, kept) }
    }

    /// Calls a function as `pcall` does: the function and its arguments are replaced by its results, or by the error.
    ///
    /// `handler` is the place of a function that sees errors first, or 0.
    pub(crate) fn protected_call(&self, args: c_int, results: Option<c_int>, handler: c_int) -> Result<(), Raise> {
        let shared = self.shared();
        let strict = shared.strict.replace(true);
        // SAFETY: the function and its arguments are on the stack; errors end here.
        let status = unsafe { ffi::lua_pcall(self.l, args, results.unwrap_or(ffi::LUA_MULTRET), handler) };
        shared.strict.set(strict);
        let ending = shared.ending().is_some();
        match status {
            ffi::LUA_OK if !ending => return Ok(()),
            ffi::LUA_OK => self.push_nil(),
            // It was refused memory because it must end.
            ffi::LUA_ERRMEM if ending => {
                self.pop(1);
                return Err(self.ended());
            }
            _ => {}
        }
        Err(Raise::top())
    }

    /// The argument's bytes, if it is a string or a number.
    pub(crate) fn check_bytes(&self, argument: c_int) -> Result<&[u8], Raise> {
        self.bytes(argument).ok_or_else(|| self.type_error(argument, "string"))
    }

    /// The argument as a number, if it is one or reads as one.
    pub(crate) fn check_number(&self, argument: c_int) -> Result<f64, Raise> {
        self.number(argument).ok_or_else(|| self.type_error(argument, "number"))
    }

    /// The argument as an integer of 64 bits.
    pub(crate) fn check_integer(&self, argument: c_int) -> Result<i64, Raise> {
        self.check_number(argument).map(truncate)
    }

    /// The argument as an integer of 32 bits: the low ones, as C's cast has it.
    pub(crate) fn check_int(&self, argument: c_int) -> Result<i32, Raise> {
        self.check_integer(argument).map(|value| value as i32)
    }

    /// The argument as an integer, or `default` if there is none.
    pub(crate) fn optional_integer(&self, argument: c_int, default: i64) -> Result<i64, Raise> {
        match self.kind(argument) {
            Kind::None | Kind::Nil => Ok(default),
            _ => self.check_integer(argument),
        }
    }
}

mod ffi_limits {
    /// More values than a C function may ever have on the stack; keeps sums of ints from overflowing.
    pub(super) const MAX_STACK: std::ffi::c_int = 100_000;
}
