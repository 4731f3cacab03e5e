//! What a script returns as a reply.

use std::ffi::c_int;

use protocol::{Deferred, Reply, Resp};

use crate::lua::numbers::truncate;
use crate::lua::protect::push_behind;
use crate::lua::{Kind, Raise, State};

/// What a value takes beside its bytes, in units of work.
const VALUE: usize = 64;

/// A structure that is being written; its table lies on the Lua stack.
struct Open {
    kind: Structure,
    header: Deferred,
    table: c_int,
    count: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Structure {
    Array,
    /// Flips with every value: keys and values take turns.
    Map {
        value_next: bool,
    },
    Set,
}

/// An error in a reply, to be told to the host: the text, unless a command has reported it before.
pub(crate) type OnError<'a> = &'a mut dyn FnMut(&[u8]);

/// Writes the value on top of the stack as a reply, in the rules of the version that the script has chosen.
pub(crate) fn write_reply(state: &State, reply: &mut Reply, on_error: OnError<'_>) -> Result<(), Raise> {
    let start = reply.len();
    let base = state.top() - 1;
    let mut open: Vec<Open> = Vec::new();
    // Invariant: at the top of the loop the value to write is on top of the stack.
    loop {
        let top = state.top();
        let bytes = if state.kind(top) == Kind::String { state.length(top) } else { 0 };
        state.advance(VALUE + bytes, reply.len() - start + bytes)?;
        if let Some(structure) = begin_value(state, reply, on_error) {
            open.push(structure);
        }
        // The value is written, or its structure is open: find what comes next.
        loop {
            let Some(current) = open.last_mut() else {
                state.set_top(base);
                return Ok(());
            };
            if push_next(state, current) {
                break;
            }
            close(state, reply, open.pop());
        }
    }
}

/// Writes the value on top, and pops it; or opens it, if it is a structure.
fn begin_value(state: &State, reply: &mut Reply, on_error: OnError<'_>) -> Option<Open> {
    let top = state.top();
    if !state.reserve(4) {
        reply.error("ERR reached lua stack limit");
        on_error(b"ERR reached lua stack limit");
        state.pop(1);
        return None;
    }
    match state.kind(top) {
        Kind::String => reply.bulk(state.bytes(top).unwrap_or_default()),
        Kind::Number => reply.integer(truncate(state.number(top).unwrap_or_default())),
        Kind::Boolean => match (state.shared().resp.get(), state.truth(top)) {
            (Resp::V2, true) => reply.integer(1),
            (Resp::V2, false) => reply.null(),
            (Resp::V3, truth) => reply.boolean(truth),
        },
        Kind::Table => {
            if push_behind(state, top) {
                state.replace(top);
            }
            if !write_marked(state, reply, top, on_error) {
                return Some(open_structure(state, reply, top));
            }
            state.set_top(top);
        }
        _ => reply.null(),
    }
    state.pop(1);
    None
}

/// Writes a table that one of its fields makes a reply of a certain kind, structures aside.
fn write_marked(state: &State, reply: &mut Reply, table: c_int, on_error: OnError<'_>) -> bool {
    let field = table + 1;
    if state.raw_field(table, "err") == Kind::String {
        let text = state.c_text(field).unwrap_or_default().to_bytes();
        reply.error_bytes(text);
        let counted = state.raw_field(table, "ignore_error_stats_update") == Kind::Boolean && state.truth(field + 1);
        if !counted {
            on_error(text);
        }
        return true;
    }
    state.pop(1);
    if state.raw_field(table, "ok") == Kind::String {
        write_line(reply, b'+', state.c_text(field).unwrap_or_default().to_bytes());
        return true;
    }
    state.pop(1);
    if state.raw_field(table, "double") == Kind::Number {
        reply.double(state.number(field).unwrap_or_default());
        return true;
    }
    state.pop(1);
    if state.raw_field(table, "big_number") == Kind::String {
        let digits = state.bytes(field).unwrap_or_default();
        match reply.resp() {
            Resp::V2 => reply.bulk(&one_line(digits)),
            Resp::V3 => write_line(reply, b'(', digits),
        }
        return true;
    }
    state.pop(1);
    if state.raw_field(table, "verbatim_string") == Kind::Table
        && state.raw_field(field, "format") == Kind::String
        && state.raw_field(field, "string") == Kind::String
    {
        let format = state.c_text(field + 1).unwrap_or_default().to_bytes();
        write_verbatim(reply, format, state.bytes(field + 2).unwrap_or_default());
        return true;
    }
    state.set_top(table);
    false
}

/// Opens the table on top as a map, a set or an array.
fn open_structure(state: &State, reply: &mut Reply, top: c_int) -> Open {
    let header = reply.defer();
    let kind = if state.raw_field(top, "map") == Kind::Table {
        Structure::Map { value_next: false }
    } else {
        state.pop(1);
        if state.raw_field(top, "set") == Kind::Table {
            Structure::Set
        } else {
            state.pop(1);
            return Open { kind: Structure::Array, header, table: top, count: 0 };
        }
    };
    // The inner table stays above the outer one, and the first key is to follow.
    let table = top + 1;
    if push_behind(state, table) {
        state.replace(table);
    }
    state.push_nil();
    Open { kind, header, table, count: 0 }
}

/// Pushes the next value to write of an open structure; `false` at its end.
fn push_next(state: &State, open: &mut Open) -> bool {
    match &mut open.kind {
        Structure::Array => {
            let index = c_int::try_from(open.count + 1).unwrap_or(c_int::MAX);
            if state.raw_get_index(open.table, index) == Kind::Nil {
                state.pop(1);
                return false;
            }
            open.count += 1;
            true
        }
        // On the stack above the table: the key of the step before; while a key is written, its value below it.
        Structure::Map { value_next } if *value_next => {
            *value_next = false;
            // Stack: key, value. The value goes, the key stays for the next step.
            true
        }
        Structure::Map { value_next } => {
            if !state.next(open.table) {
                return false;
            }
            *value_next = true;
            open.count += 1;
            state.push_value(state.top() - 1);
            true
        }
        Structure::Set => {
            if !state.next(open.table) {
                return false;
            }
            open.count += 1;
            state.pop(1);
            state.push_value(state.top());
            true
        }
    }
}

/// Writes the header of a structure that has come to its end, and drops its table.
fn close(state: &State, reply: &mut Reply, open: Option<Open>) {
    let Some(Open { kind, header, table, count }) = open else { return };
    match kind {
        Structure::Array => {
            reply.end_array(header, count);
            state.set_top(table - 1);
        }
        Structure::Map { .. } => {
            reply.end_map(header, count);
            state.set_top(table - 2);
        }
        Structure::Set => {
            reply.end_set(header, count);
            state.set_top(table - 2);
        }
    }
}

fn one_line(text: &[u8]) -> Vec<u8> {
    text.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }).collect()
}

fn write_line(reply: &mut Reply, prefix: u8, text: &[u8]) {
    reply.raw(&[prefix]);
    reply.raw(&one_line(text));
    reply.raw(b"\r\n");
}

/// The format has three letters: longer ones are cut, shorter ones filled with spaces.
fn write_verbatim(reply: &mut Reply, format: &[u8], text: &[u8]) {
    if reply.resp() == Resp::V2 {
        return reply.bulk(text);
    }
    let mut three = [b' '; 3];
    for (to, from) in three.iter_mut().zip(format) {
        *to = *from;
    }
    reply.raw(format!("={}\r\n", text.len() + 4).as_bytes());
    reply.raw(&three);
    reply.raw(b":");
    reply.raw(text);
    reply.raw(b"\r\n");
}
