//! Keys as wholes, whatever is inside: looking at them, removing them, another name, another database, and databases that
//! are emptied or exchanged.

use std::ops::Range;

use super::{Entry, Free, View};
use crate::effects::{Class, Event};
use crate::keyspace::Key;
use crate::reclaim::free_table;
use crate::snapshot::follow;
use crate::table::Position;

impl View<'_> {
    /// As [`View::find`], but a hash is there until the last of its fields is removed, though all may have expired, as in
    /// Redis. That is done by who looks inside, and by the active cycle.
    #[inline]
    fn find_whole(&mut self, key: &Key<'_>) -> Option<Position> {
        self.find_with(key, |_, handle| Some(handle))
    }

    /// Reads a key as a whole: counts as a hit or a miss, and as an access.
    pub fn read_whole(&mut self, key: &Key<'_>) -> Option<Entry<'_>> {
        let found = self.find_whole(key);
        match found {
            None => self.missed(key),
            Some(_) => self.effects.hits += 1,
        }
        Some(self.accessed(key, found?))
    }

    /// Looks at a key as a whole without an access to it; counts as a hit or a miss.
    pub fn inspect(&mut self, key: &Key<'_>) -> Option<Entry<'_>> {
        if !self.exists(key) {
            self.missed(key);
            return None;
        }
        self.inspect_silently(key)
    }

    /// As [`View::inspect`], but nobody hears of a miss.
    pub fn inspect_silently(&mut self, key: &Key<'_>) -> Option<Entry<'_>> {
        let found = self.find_whole(key);
        match found {
            Some(_) => self.effects.hits += 1,
            None => self.effects.misses += 1,
        }
        Some(Entry(self.table_db(key).table.at(found?)))
    }

    /// Looks at a key as a whole: no statistics, no access.
    pub fn peek_whole(&mut self, key: &Key<'_>) -> Option<Entry<'_>> {
        let found = self.find_whole(key)?;
        Some(Entry(self.table_db(key).table.at(found)))
    }

    /// Whether a key is there as a whole: what it has inside may all have expired.
    pub fn exists(&mut self, key: &Key<'_>) -> bool {
        self.find_whole(key).is_some()
    }

    /// Removes a key. Tells whether it was there.
    pub fn remove(&mut self, key: &Key<'_>, free: Free, event: Event) -> bool {
        let Some(handle) = self.find_whole(key) else { return false };
        self.discard(key, handle, free);
        self.changed(key, event);
        true
    }

    /// Sets or clears the expiry of a key. Tells whether the key is there.
    pub fn set_expiry(&mut self, key: &Key<'_>, expiry: Option<i64>, event: Event) -> bool {
        let Some(handle) = self.find_whole(key) else { return false };
        self.put_expiry(key, handle, expiry);
        self.touch(key, handle);
        self.changed(key, event);
        true
    }

    /// Moves a key's value and expiry to another name, replacing what is there. The key must exist.
    pub fn rename(&mut self, from: &Key<'_>, to: &Key<'_>) -> bool {
        let Some(handle) = self.find_whole(from) else { return false };
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
        let Some(handle) = self.find_whole(from) else { return false };
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
        let Some(handle) = self.find_whole(key) else { return false };
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
