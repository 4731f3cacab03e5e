//! The append-only log: every change as the commands that make it anew, in files that Redis reads and writes as well.
//!
//! [`pending`] takes entries in the order of their effects.

mod pending;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use pending::Pending;

/// The log, whether it is on or not. Positions count bytes from the start of the process.
#[derive(Default)]
pub struct Aof {
    on: AtomicBool,
    pending: Mutex<Pending>,
    /// The position behind all that was appended.
    appended: AtomicU64,
}

impl Aof {
    /// Whether changes are to be appended.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// Appends one change, which is the commands that make it, for database `db`. Called while the shards of the change
    /// are locked, so that the order of entries is that of effects. Answers the position behind it.
    pub fn append(&self, db: usize, commands: &[u8]) -> u64 {
        let mut pending = self.pending.lock();
        let added = pending.append(db, commands);
        // Nobody else writes it: the lock is held.
        let position = self.appended.load(Relaxed) + added;
        self.appended.store(position, Relaxed);
        position
    }
}
