//! Read-only tables.
//!
//! Lua 5.1 has none. What scripts get in place of a table that they must not change is an empty one, its *view*: reads
//! go on to the table behind it, writes find no field there and end in an error. Functions that look into a table
//! without metamethods (`pairs`, `next`, `rawget`, …) have guards that look behind a view, those that would write to one
//! refuse it (see [`guards`](super::guards)).

use std::ffi::{c_int, c_void};

use super::{Outcome, Raise, Shared, State};

/// Elements of a view's metatable, which scripts never get hold of: the mark that no script can forge, the table behind
/// the view, and what `getmetatable` answers.
const MARK: c_int = 1;
const BEHIND: c_int = 2;
const VISIBLE: c_int = 3;

/// What writing to a view says.
pub(super) const READONLY: &str = "Attempt to modify a readonly table";

/// The mark: an address that scripts cannot name.
pub(super) fn mark(shared: &Shared) -> *const c_void {
    std::ptr::from_ref(shared).cast()
}

/// Replaces the table on top by a view of it.
pub(crate) fn protect(state: &State) {
    let table = state.top();
    state.push_table(0, 0);
    push_view_metatable(state, table);
    state.set_metatable(table + 1);
    state.remove(table);
}

/// Pushes the metatable that makes a table a view of the one at `table`.
fn push_view_metatable(state: &State, table: c_int) {
    state.push_table(3, 2);
    let metatable = state.top();
    state.push_pointer(mark(state.shared()));
    state.raw_set_index(metatable, MARK);
    state.push_function(refuse);
    state.set_field(metatable, "__newindex");
    state.push_value(table);
    point(state, metatable);
}

/// Makes views with the metatable at a place views of the table on top, which is popped.
pub(crate) fn point(state: &State, metatable: c_int) {
    state.push_value(state.top());
    state.raw_set_index(metatable, BEHIND);
    state.set_field(metatable, "__index");
}

/// Lets `getmetatable` of the view at a place answer the value on top, which is popped.
pub(crate) fn show_metatable(state: &State, view: c_int) {
    if state.metatable(view) {
        let metatable = state.top();
        state.push_value(metatable - 1);
        state.raw_set_index(metatable, VISIBLE);
        state.pop(1);
    }
    state.pop(1);
}

/// Pushes the table behind the view at a place; pushes nothing and answers `false` if that is no view.
#[inline]
pub(crate) fn push_behind(state: &State, index: c_int) -> bool {
    push_part(state, index, BEHIND)
}

/// Pushes what `getmetatable` answers for a view; pushes nothing and answers `false` if that is no view.
pub(super) fn push_visible(state: &State, index: c_int) -> bool {
    push_part(state, index, VISIBLE)
}

fn push_part(state: &State, index: c_int, part: c_int) -> bool {
    if !state.metatable(index) {
        return false;
    }
    let metatable = state.top();
    state.raw_get_index(metatable, MARK);
    let is_view = state.userdata(metatable + 1).cast_const() == mark(state.shared());
    if !is_view {
        state.pop(2);
        return false;
    }
    state.pop(1);
    state.raw_get_index(metatable, part);
    state.remove(metatable);
    true
}

/// Whether a value is a view.
pub(crate) fn is_view(state: &State, index: c_int) -> bool {
    let found = push_behind(state, index);
    if found {
        state.pop(1);
    }
    found
}

fn refuse(state: State) -> Outcome {
    Err(state.error(READONLY))
}

/// The error of a function that would have changed a view; it names no position, as Redis's does not.
pub(super) fn refusal(state: &State) -> Raise {
    state.raise(READONLY.as_bytes())
}
