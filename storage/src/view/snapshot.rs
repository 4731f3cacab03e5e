//! All data into a file, and out of it.

use std::io::Write;
use std::sync::Arc;

use super::{Free, View};
use crate::access::Usage;
use crate::keyspace::Key;
use crate::rdb::Loaded;
use crate::rdb::file::FileWriter;
use crate::snapshot::{Form, Snapshot, Target, usage};
use crate::table::Position;

impl View<'_> {
    /// Writes all keys. Needs all shards.
    pub fn save<W: Write + Send>(&mut self, to: &mut FileWriter<W>, tell_idle: bool) {
        let (access, now_ms) = (&self.keyspace.access, self.now_ms);
        for db in 0..self.keyspace.databases() {
            let counts = self.counts(db);
            if counts.keys == 0 {
                continue;
            }
            to.database(db, Some(counts));
            for shard in self.locked.all() {
                // Keys that have expired, too: whoever loads the file leaves them out, and counts them.
                for slot in shard.db(db).into_iter().flat_map(|db| db.table.iter()) {
                    to.entry(slot.key(), slot.value(), slot.expiry(), usage(access, slot, tell_idle, now_ms));
                }
                if !to.is_well() {
                    return;
                }
            }
        }
    }

    /// Begins a snapshot of all keys as they are now, to be written by [`Snapshot::write`]. One that is still being
    /// written is given up. Needs all shards.
    pub fn begin_snapshot(&mut self, form: Form, tell_idle: bool) -> Arc<Snapshot> {
        let counts = (0..self.keyspace.databases()).map(|db| self.counts(db)).collect();
        let shards = self.locked.all().iter_mut().map(|shard| &mut **shard);
        Snapshot::begin(shards, form, tell_idle, counts)
    }

    /// Hands an entry that is about to change over to the snapshot that is being written.
    #[inline]
    pub(super) fn hand_over(&mut self, key: &Key<'_>, handle: Position) {
        if self.table_db(key).mark.is_some() {
            self.hand_over_marked(key, handle);
        }
    }

    #[cold]
    fn hand_over_marked(&mut self, key: &Key<'_>, handle: Position) {
        let (keyspace, now_ms) = (self.keyspace, self.now_ms);
        let db = self.table_db(key);
        if let Some(mark) = &mut db.mark {
            mark.hand_over(keyspace, key, db.table.at_mut(handle), now_ms);
        }
    }

    /// Says that an entry is new, and no part of the snapshot that is being written.
    #[inline]
    pub(super) fn keep_out(&mut self, key: &Key<'_>) {
        if let Some(mark) = &mut self.table_db(key).mark {
            mark.claim(key);
        }
    }

    /// Ends an entry that is about to leave its table, unless the snapshot that is being written takes it.
    pub(super) fn discard(&mut self, key: &Key<'_>, handle: Position, free: Free) {
        let db = self.table_db(key);
        let wanted = db.mark.is_some() && db.table.at(handle).is_big();
        let wanted = wanted && db.mark.as_mut().is_some_and(|mark| mark.claim(key));
        let slot = self.take(key, handle);
        let slot = match &self.table_db(key).mark {
            Some(mark) => mark.leave(slot, !wanted),
            None => Some(slot),
        };
        if let Some(slot) = slot {
            self.release(slot, free);
        }
    }

    /// Whether fields of hashes expire in any database.
    pub fn has_timed(&self) -> bool {
        (0..self.keyspace.databases()).any(|db| self.counts(db).timed > 0)
    }

    /// Adds a key that comes from a file; nobody hears of it. Where there is one of that name, it is replaced if that is
    /// wanted. Tells whether the key was added.
    pub fn load(
        &mut self,
        key: &Key<'_>,
        value: Loaded,
        expiry: Option<i64>,
        usage: Option<Usage>,
        replace: bool,
    ) -> bool {
        if replace {
            self.vacate(key);
        } else if self.exists(key) {
            return false;
        }
        self.bring(key, value, expiry, usage);
        true
    }
}
