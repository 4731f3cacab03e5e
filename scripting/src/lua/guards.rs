//! Guards in front of functions of Lua's library that read-only tables and runaway scripts would get past.
//!
//! These are C functions: they own nothing, call the original with the same arguments, and let its errors pass through.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

use super::compile::PRECOMPILED;
use super::costs;
use super::protect::{is_view, push_behind, push_visible, refusal};
use super::shared::Originals;
use super::{Kind, State};

/// Puts the guards in place. `globals` is the table of globals, with Lua's own functions still in it.
pub(crate) fn install(state: &State, globals: c_int) {
    let globals_only = |name: &str| original_of(state, globals, None, name);
    let within = |library: &str, name: &str| original_of(state, globals, Some(library), name);
    state.shared().originals.set(Some(Originals {
        next: globals_only("next"),
        rawget: globals_only("rawget"),
        rawset: globals_only("rawset"),
        getmetatable: globals_only("getmetatable"),
        setmetatable: globals_only("setmetatable"),
        collectgarbage: globals_only("collectgarbage"),
        load: globals_only("load"),
        tonumber: globals_only("tonumber"),
        insert: within("table", "insert"),
        remove: within("table", "remove"),
        sort: within("table", "sort"),
        concat: within("table", "concat"),
        maxn: within("table", "maxn"),
        foreach: within("table", "foreach"),
        resume: within("coroutine", "resume"),
    }));

    let guards: [(&str, ffi::lua_CFunction); 9] = [
        ("next", next),
        ("rawget", rawget),
        ("rawset", rawset),
        ("setmetatable", setmetatable),
        ("collectgarbage", costs::collectgarbage),
        ("load", load),
        ("pcall", pcall),
        ("xpcall", xpcall),
        ("tonumber", costs::tonumber),
    ];
    for (name, guard) in guards {
        state.push_raw_closure(guard, 0);
        state.set_field(globals, name);
    }
    state.raw_field(globals, "next");
    state.push_raw_closure(pairs, 1);
    state.set_field(globals, "pairs");

    let guards: [(&str, &str, ffi::lua_CFunction); 7] = [
        ("table", "insert", costs::insert),
        ("table", "remove", costs::remove),
        ("table", "sort", costs::sort),
        ("table", "concat", costs::concat),
        ("table", "maxn", costs::maxn),
        ("table", "foreach", foreach),
        ("coroutine", "resume", resume),
    ];
    for (library, name, guard) in guards {
        state.raw_field(globals, library);
        state.push_raw_closure(guard, 0);
        state.set_field(state.top() - 1, name);
        state.pop(1);
    }
}

/// A function that Lua's libraries have put into the globals, or into a table there.
fn original_of(state: &State, globals: c_int, library: Option<&str>, name: &str) -> ffi::lua_CFunction {
    let top = state.top();
    let table = match library {
        Some(library) => {
            state.raw_field(globals, library);
            state.top()
        }
        None => globals,
    };
    state.raw_field(table, name);
    // SAFETY: the state is live.
    let function = unsafe { ffi::lua_tocfunction(state.raw(), state.top()) };
    state.set_top(top);
    function.unwrap_or(missing)
}

/// Sets `getmetatable`, which answers the view on top (popped) for strings.
pub(crate) fn install_getmetatable(state: &State, globals: c_int) {
    state.push_raw_closure(getmetatable, 1);
    state.set_field(globals, "getmetatable");
}

/// Remembers the metatable of strings, which is on top.
pub(crate) fn remember_string_metatable(state: &State) {
    state.shared().string_metatable.set(state.address(state.top()));
}

unsafe extern "C-unwind" fn missing(_: *mut lua_State) -> c_int {
    0
}

/// The original behind a guard.
///
/// # Safety
/// The state must be live.
pub(super) unsafe fn original(l: *mut lua_State, choose: fn(&Originals) -> ffi::lua_CFunction) -> ffi::lua_CFunction {
    // SAFETY: by the caller.
    let originals = unsafe { State::new(l) }.shared().originals.get();
    originals.as_ref().map_or(missing, choose)
}

/// Puts the table behind a view in the view's place.
///
/// # Safety
/// The state must be live, and `index` a place on its stack.
unsafe fn look_behind(l: *mut lua_State, index: c_int) {
    // SAFETY: by the caller.
    let state = unsafe { State::new(l) };
    if state.kind(index) == Kind::Table && push_behind(&state, index) {
        state.replace(index);
    }
}

/// Pushes the refusal to change a view, if there is one at a place.
///
/// # Safety
/// The state must be live.
pub(super) unsafe fn refuses(l: *mut lua_State, index: c_int) -> bool {
    // SAFETY: by the caller.
    let state = unsafe { State::new(l) };
    let refused = state.kind(index) == Kind::Table && is_view(&state, index);
    if refused {
        let _ = refusal(&state);
    }
    refused
}

/// Pushes the error of a script that must end, if this one must.
///
/// # Safety
/// The state must be live.
pub(super) unsafe fn must_end(l: *mut lua_State) -> bool {
    // SAFETY: by the caller.
    let state = unsafe { State::new(l) };
    let shared = state.shared();
    let ending = shared.ending().is_some();
    if ending {
        let strict = shared.strict.replace(false);
        let _ = state.ended();
        shared.strict.set(strict);
    }
    ending
}

unsafe extern "C-unwind" fn next(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state.
    unsafe {
        look_behind(l, 1);
        original(l, |originals| originals.next)(l)
    }
}

unsafe extern "C-unwind" fn pairs(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state and room for 20 values.
    unsafe {
        ffi::luaL_checktype(l, 1, ffi::LUA_TTABLE);
        ffi::lua_pushvalue(l, ffi::lua_upvalueindex(1));
        ffi::lua_pushvalue(l, 1);
        ffi::lua_pushnil(l);
    }
    3
}

unsafe extern "C-unwind" fn rawget(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state.
    unsafe {
        look_behind(l, 1);
        original(l, |originals| originals.rawget)(l)
    }
}

unsafe extern "C-unwind" fn rawset(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state.
    unsafe {
        if refuses(l, 1) {
            ffi::lua_error(l);
        }
        original(l, |originals| originals.rawset)(l)
    }
}

unsafe extern "C-unwind" fn setmetatable(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state.
    unsafe {
        if refuses(l, 1) {
            ffi::lua_error(l);
        }
        original(l, |originals| originals.setmetatable)(l)
    }
}

unsafe extern "C-unwind" fn getmetatable(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state and room for 20 values.
    unsafe {
        let state = State::new(l);
        if state.kind(1) == Kind::Table && push_visible(&state, 1) {
            return 1;
        }
        let results = original(l, |originals| originals.getmetatable)(l);
        if state.address(state.top()) == state.shared().string_metatable.get() {
            ffi::lua_pushvalue(l, ffi::lua_upvalueindex(1));
            return 1;
        }
        results
    }
}

unsafe extern "C-unwind" fn foreach(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state.
    unsafe {
        look_behind(l, 1);
        original(l, |originals| originals.foreach)(l)
    }
}

/// `pcall` as Redis has it: errors that are tables with `err` are handed out as that text; and it cannot be used to
/// survive the end of a script.
unsafe extern "C-unwind" fn pcall(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state and room for 20 values.
    unsafe {
        ffi::luaL_checkany(l, 1);
        let args = ffi::lua_gettop(l) - 1;
        ffi::lua_pushboolean(l, 1);
        ffi::lua_insert(l, 1);
        let failed = ffi::lua_pcall(l, args, ffi::LUA_MULTRET, 0) != ffi::LUA_OK;
        if must_end(l) {
            ffi::lua_error(l);
        }
        if failed {
            ffi::lua_remove(l, 1);
            if ffi::lua_istable(l, -1) != 0 {
                ffi::lua_getfield_(l, -1, c"err".as_ptr());
                if ffi::lua_isstring(l, -1) != 0 {
                    ffi::lua_replace(l, -2);
                }
            }
            ffi::lua_pushboolean(l, 0);
            ffi::lua_insert(l, 1);
        }
        ffi::lua_gettop(l)
    }
}

unsafe extern "C-unwind" fn xpcall(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state and room for 20 values.
    unsafe {
        ffi::luaL_checkany(l, 2);
        ffi::lua_settop(l, 2);
        ffi::lua_pushcclosure(l, handle, 1);
        ffi::lua_insert(l, 1);
        // The answer is there first, because the results may leave no room for it.
        ffi::lua_pushboolean(l, 1);
        ffi::lua_insert(l, 1);
        let failed = ffi::lua_pcall(l, 0, ffi::LUA_MULTRET, 2) != ffi::LUA_OK;
        if must_end(l) {
            ffi::lua_error(l);
        }
        ffi::lua_remove(l, 2);
        if failed {
            ffi::lua_pushboolean(l, 0);
            ffi::lua_replace(l, 1);
        }
        ffi::lua_gettop(l)
    }
}

/// Calls the handler that `xpcall` was given, except when the script must end: Lua calls it from inside the hook then,
/// where nothing could stop it any more.
unsafe extern "C-unwind" fn handle(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state and room for 20 values.
    unsafe {
        ffi::lua_settop(l, 1);
        if State::new(l).shared().ending().is_none() {
            ffi::lua_pushvalue(l, ffi::lua_upvalueindex(1));
            ffi::lua_insert(l, 1);
            ffi::lua_call(l, 1, 1);
        }
    }
    1
}

unsafe extern "C-unwind" fn resume(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state.
    unsafe {
        let results = original(l, |originals| originals.resume)(l);
        if must_end(l) {
            ffi::lua_error(l);
        }
        results
    }
}

/// Pushes a function that answers `table[key]`, metamethods included.
pub(crate) fn push_index_function(state: &State) {
    state.push_raw_closure(index, 0);
}

unsafe extern "C-unwind" fn index(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state; `push_index_function`'s users give it two arguments.
    unsafe {
        ffi::lua_settop(l, 2);
        ffi::lua_gettable_(l, 1);
    }
    1
}

/// `load`, except that precompiled code is taken for text.
unsafe extern "C-unwind" fn load(l: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with a live state and room for 20 values.
    unsafe {
        ffi::luaL_checktype(l, 1, ffi::LUA_TFUNCTION);
        ffi::luaL_optlstring(l, 2, c"=(load)".as_ptr(), std::ptr::null_mut());
        ffi::lua_settop(l, 2);
        if ffi::lua_type(l, 2) == ffi::LUA_TNIL {
            // On the stack, because the compiler's own reference to the name does not keep it.
            ffi::lua_pushstring_(l, c"=(load)".as_ptr());
            ffi::lua_replace(l, 2);
        }
        ffi::lua_pushvalue(l, 1);
        ffi::lua_pushboolean(l, 0);
        ffi::lua_pushcclosure(l, read_piece, 2);
        ffi::lua_replace(l, 1);
        let results = original(l, |originals| originals.load)(l);
        if must_end(l) {
            ffi::lua_error(l);
        }
        results
    }
}

/// Gives `load` the pieces of a reader (the first upvalue), with a blank before the first one if it is precompiled code.
unsafe extern "C-unwind" fn read_piece(l: *mut lua_State) -> c_int {
    const BEGUN: c_int = ffi::lua_upvalueindex(2);
    // SAFETY: Lua calls this with a live state and room for 20 values.
    unsafe {
        ffi::lua_settop(l, 0);
        ffi::lua_pushvalue(l, ffi::lua_upvalueindex(1));
        ffi::lua_call(l, 0, 1);
        if ffi::lua_toboolean(l, BEGUN) == 0 && State::new(l).kind(1) == Kind::String {
            ffi::lua_pushboolean(l, 1);
            ffi::lua_replace(l, BEGUN);
            if State::new(l).bytes(1).is_some_and(|piece| piece.first() == Some(&PRECOMPILED)) {
                ffi::lua_pushstring_(l, c" ".as_ptr());
                ffi::lua_insert(l, 1);
                ffi::lua_concat(l, 2);
            }
        }
    }
    1
}
