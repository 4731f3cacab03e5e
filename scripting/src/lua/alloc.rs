//! Lua's memory: from the process's allocator, counted, and limited.
//!
//! What takes long in Lua's own library nearly always makes something large, so this is also a place to ask whether the
//! script may go on: a script that must end is refused all memory.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ffi::c_void;
use std::ptr;

use super::Shared;

/// What Lua asks for at most: doubles and pointers.
const ALIGN: usize = 8;

/// A block of this size does not grow where it is.
const LARGE: usize = 1 << 20;

/// Lua's allocation function; `ud` is the [`Shared`] of the virtual machine.
///
/// Refuses what goes beyond the limit while Lua itself is running. Inside a callback written in Rust it never
/// refuses, since Lua would jump over that callback's frames.
pub(super) unsafe extern "C" fn allocate(
    ud: *mut c_void,
    block: *mut c_void,
    old_size: usize,
    new_size: usize,
) -> *mut c_void {
    // SAFETY: `Vm` passes its `Shared`, which outlives the Lua state.
    let shared = unsafe { &*ud.cast_const().cast::<Shared>() };
    let used = shared.used.get();
    if new_size == 0 {
        if !block.is_null() && old_size > 0 {
            shared.used.set(used - old_size);
            // SAFETY: Lua tells the size it has asked for, and every block has this alignment.
            unsafe { dealloc(block.cast(), Layout::from_size_align_unchecked(old_size, ALIGN)) };
        }
        return ptr::null_mut();
    }
    let old_size = if block.is_null() { 0 } else { old_size };
    let wanted = (used - old_size).saturating_add(new_size);
    if new_size > old_size && shared.strict.get() {
        let is_time = shared.has_worked(new_size);
        // A large block moves when it grows, and for that time it is there twice.
        let most = if new_size < LARGE { wanted } else { used.saturating_add(new_size) };
        if most > shared.limit.get() || (is_time && !shared.poll_caught()) {
            return ptr::null_mut();
        }
    }
    let Ok(layout) = Layout::from_size_align(new_size, ALIGN) else { return ptr::null_mut() };
    // SAFETY: the sizes are not zero, and `old_size` is what the block was allocated with.
    let moved = unsafe {
        match old_size {
            0 => alloc(layout),
            _ => realloc(block.cast(), Layout::from_size_align_unchecked(old_size, ALIGN), new_size),
        }
    };
    if moved.is_null() {
        if shared.strict.get() {
            return ptr::null_mut();
        }
        handle_alloc_error(layout);
    }
    shared.used.set(wanted);
    moved.cast()
}
