//! Random numbers for odds that nobody plays against.

use std::cell::Cell;

/// Bits whose quality does not matter, but whose speed does: for the levels of skiplists and frequency counters.
pub(crate) fn quick_random() -> u32 {
    thread_local!(static STATE: Cell<u32> = const { Cell::new(0x9e37_79b9) });
    let mut x = STATE.get();
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    STATE.set(x);
    x
}
