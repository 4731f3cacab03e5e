//! What a database's part of a shard has to do with a snapshot that is being written.

use std::sync::Arc;

use super::frozen::Frozen;
use super::pieces::{Access, Piece};
use super::{Beside, Left, Snapshot};
use crate::entry::Slot;
use crate::keyspace::{Key, Keyspace};
use crate::table::HashTable;

/// A queue up to this length is left for the thread that writes the snapshot, whatever the others hold.
const ALWAYS_QUEUED: usize = 64 * 1024;

/// Says that a table is part of a snapshot and not all of it is written yet. It belongs to the table, not to a number
/// of a database: SWAPDB takes it along.
pub(crate) struct Mark {
    beside: Beside,
    /// The number that the database had at the snapshot's moment.
    pub(super) db: usize,
    pub(super) frozen: Frozen,
    /// Entries that were handed over, as they are to be written.
    pub(super) queue: Vec<u8>,
}

impl Mark {
    pub(super) fn new(snapshot: Arc<Snapshot>, db: usize) -> Mark {
        Mark { beside: Beside::new(snapshot), db, frozen: Frozen::default(), queue: Vec::new() }
    }

    pub(super) fn snapshot(&self) -> &Arc<Snapshot> {
        self.beside.snapshot()
    }

    /// Reports what the queue takes beside what is in it, and the claims.
    pub(super) fn count(&mut self) {
        self.beside.set(self.queue.capacity() - self.queue.len() + self.frozen.memory());
    }

    /// Whether the snapshot is still to have an entry as it is. From now on it is not: either the caller hands it over,
    /// or it is new.
    pub(crate) fn claim(&mut self, key: &Key<'_>) -> bool {
        let claimed = !self.snapshot().is_stopped() && self.frozen.claim(key.hash, key.bytes);
        self.count();
        claimed
    }

    /// Hands over an entry that is about to change or to go, unless that was done before.
    pub(crate) fn hand_over(&mut self, keyspace: &Keyspace, key: &Key<'_>, slot: &mut Slot, now_ms: i64) {
        if !self.claim(key) {
            return;
        }
        let access = Access { policy: &keyspace.access, now_ms };
        let snapshot = Arc::clone(self.snapshot());
        if snapshot.set_aside(self.db, key, slot, access) {
            return;
        }
        let before = self.queue.len();
        snapshot.put_entry(&mut self.queue, keyspace, slot, now_ms);
        snapshot.was_queued(self.queue.len() - before);
        if self.queue.len() > ALWAYS_QUEUED && snapshot.write_queue(self.db, &self.queue) {
            snapshot.was_written(self.queue.len());
            self.queue = Vec::new();
        }
        self.count();
    }

    /// Leaves an entry that is in no table any more to the snapshot, which frees it, if it was not handed over before or
    /// is being written. Returns it otherwise.
    pub(crate) fn leave(&self, slot: Slot, was_claimed: bool) -> Option<Slot> {
        if was_claimed {
            return Piece::give(slot);
        }
        self.snapshot().leave(Left::Entry(self.db, slot));
        None
    }

    /// Leaves the whole table to the snapshot, which frees it.
    pub(crate) fn leave_table(self, table: HashTable<Slot>) {
        let snapshot = self.beside.snapshot();
        snapshot.leave(Left::Queue(self.db, self.queue));
        snapshot.leave(Left::Table(self.db, table, self.frozen));
    }

    /// Whether nobody wants the snapshot any more.
    pub(crate) fn is_void(&self) -> bool {
        self.snapshot().is_stopped()
    }
}
