//! What happens to keys as wholes: another name, another database, and databases that are emptied or exchanged.

use std::ops::Range;

use super::{Free, View};
use crate::effects::{Class, Event};
use crate::keyspace::Key;
use crate::reclaim::free_table;
use crate::snapshot::follow;

impl View<'_> {
    /// Moves a key's value and expiry to another name, replacing what is there. The key must exist.
    pub fn rename(&mut self, from: &Key<'_>, to: &Key<'_>) -> bool {
        let Some(handle) = self.find(from) else { return false };
        let mut slot = self.take(from, handle);
        follow(&mut slot, to);
        let old = self.vacate(to);
        let expiry = slot.expiry();
        slot.rename(to.bytes, expiry);
        let handle = self.adopt(to, slot);
        self.touch(to, handle);
        self.tell(to, Event::NEW);
        self.changed(from, Event::RENAME_FROM);
        self.record(to, Event::RENAME_TO);
        self.tell_replaced(to, handle, old);
        true
    }

    /// Copies a key's value and expiry to another name in database `db`, replacing what is there.
    pub fn copy(&mut self, from: &Key<'_>, to: &Key<'_>, db: usize) -> bool {
        let Some(handle) = self.find(from) else { return false };
        let access = self.keyspace.access.fresh(self.now_ms);
        let slot = *self.table_db(from).table.at(handle);
        let copy = slot.duplicate(to.bytes, slot.expiry(), access);
        let home = std::mem::replace(&mut self.db, db);
        let old = self.vacate(to);
        let handle = self.adopt(to, copy);
        self.tell(to, Event::NEW);
        self.changed(to, Event::COPY_TO);
        self.tell_replaced(to, handle, old);
        self.db = home;
        true
    }

    /// Moves a key to another database. Tells whether it did: not without the key, nor onto an existing one.
    pub fn move_to(&mut self, key: &Key<'_>, db: usize) -> bool {
        let home = self.db;
        let Some(handle) = self.find(key) else { return false };
        self.db = db;
        let occupied = self.exists(key);
        self.db = home;
        if occupied {
            return false;
        }
        let slot = self.take(key, handle);
        self.db = db;
        self.adopt(key, slot);
        self.tell(key, Event::NEW);
        self.db = home;
        self.record(key, Event::MOVE_FROM);
        self.db = db;
        self.changed(key, Event::MOVE_TO);
        self.db = home;
        true
    }

    /// Removes every key of some databases. Returns how many there were. Needs all shards.
    pub fn flush(&mut self, dbs: Range<usize>, free: Free) -> usize {
        let removed = dbs.map(|db| self.flush_one(db, free)).sum();
        if self.keyspace.observes(Class::Change) {
            self.tell_observer(b"", Event::FLUSHED);
        }
        removed
    }

    fn flush_one(&mut self, db: usize, free: Free) -> usize {
        let mut removed = 0;
        self.touch_watched(db, &[db]);
        for shard in self.locked.all() {
            let db = shard.db_mut(db);
            removed += db.table.len();
            (db.expiring, db.timed) = (0, 0);
            let table = std::mem::take(&mut db.table);
            if let Some(mark) = db.mark.take().filter(|mark| !mark.is_void()) {
                mark.leave_table(table);
                continue;
            }
            match free {
                Free::Now => free_table(table),
                Free::Later if !table.is_empty() => self.keyspace.reclaimer.table(table),
                Free::Later => {}
            }
        }
        self.effects.dirty += removed as u64;
        self.wake_all(db);
        removed
    }

    /// Exchanges two databases. Needs all shards.
    pub fn swap(&mut self, a: usize, b: usize) {
        // An expired key that takes the place of none is no change.
        for (watched, other) in [(a, b), (b, a)] {
            self.expire_watched(watched, other);
            self.touch_watched(watched, &[a, b]);
        }
        for shard in self.locked.all() {
            shard.swap(a, b);
        }
        self.effects.dirty += 1;
        self.wake_all(a);
        self.wake_all(b);
    }
}
