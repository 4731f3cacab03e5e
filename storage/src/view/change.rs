//! Changing collections.

use std::cell::Cell;

use smallvec::SmallVec;

use super::{Free, Ttl, View, touch_slot};
use crate::effects::Event;
use crate::entry::NewValue;
use crate::keyspace::Key;
use crate::table::Position;
use crate::value::{Stored, WrongType};

/// What a change to a collection reports, so that the gate can record it.
#[derive(Default)]
pub struct Log {
    dirty: u64,
    changed: bool,
    wakes: bool,
    events: SmallVec<[Event; 2]>,
}

impl Log {
    /// The collection was changed in so many places, which is called `event`.
    pub fn changed(&mut self, event: Event, places: usize) {
        self.changed = true;
        self.dirty += places as u64;
        self.events.push(event);
    }

    /// The collection's bytes were changed, but nobody is to hear of it.
    pub fn silently(&mut self) {
        self.changed = true;
    }

    /// Those who wait for the key have something to look at, though no event tells of it.
    pub fn wake(&mut self) {
        self.wakes = true;
    }

    /// The collection was changed in so many places, for which there is no event.
    pub fn changed_quietly(&mut self, places: usize) {
        self.changed = true;
        self.dirty += places as u64;
    }
}

thread_local! {
    /// Where packed collections are changed.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl View<'_> {
    /// Lets `change` work on a key's collection; a missing key is an empty one. A collection that ends up empty goes.
    /// What `change` does not report to the log it must not do.
    pub fn change<C: Stored, R>(
        &mut self,
        key: &Key<'_>,
        change: impl FnOnce(&mut C, &mut Log) -> R,
    ) -> Result<R, WrongType> {
        if let Some(found) = self.find_to_change(key) {
            return self.change_found(key, found, change);
        }
        let (mut collection, mut log) = (C::new(), Log::default());
        let result = change(&mut collection, &mut log);
        if !log.changed {
            return Ok(result);
        }
        // What came and went at once is still told.
        if collection.is_empty() && C::REMOVED_WHEN_EMPTY {
            self.tell(key, Event::NEW);
            self.record_log(key, log);
            self.record(key, Event::DEL);
        } else {
            NewValue::with_collection(collection, |value| self.insert(key, value, None));
            self.record_log(key, log);
        }
        Ok(result)
    }

    /// As [`View::change`], but nothing happens without the key.
    pub fn change_existing<C: Stored, R>(
        &mut self,
        key: &Key<'_>,
        change: impl FnOnce(&mut C, &mut Log) -> R,
    ) -> Result<Option<R>, WrongType> {
        match self.find_to_change(key) {
            Some(found) => self.change_found(key, found, change).map(Some),
            None => Ok(None),
        }
    }

    fn change_found<C: Stored, R>(
        &mut self,
        key: &Key<'_>,
        found: Position,
        change: impl FnOnce(&mut C, &mut Log) -> R,
    ) -> Result<R, WrongType> {
        let mut log = Log::default();
        self.hand_over(key, found);
        let (keyspace, now_ms, touch) = (self.keyspace, self.now_ms, self.touch);
        let db = self.table_db(key);
        let slot = db.table.at_mut(found);
        let was_timed = slot.is_timed();
        let mut emptied = false;
        let mut scratch = SCRATCH.take();
        let result = slot.change::<C, R>(&mut scratch, |collection| {
            let result = change(collection, &mut log);
            emptied = log.changed && C::REMOVED_WHEN_EMPTY && collection.is_empty();
            (result, log.changed && !emptied)
        });
        SCRATCH.set(scratch);
        let result = result?;
        if touch {
            touch_slot(keyspace, slot, now_ms);
        }
        if slot.is_timed() || was_timed {
            db.timed = db.timed + usize::from(slot.is_timed()) - usize::from(was_timed);
            self.lower_hint(key, found);
        }
        self.record_log(key, log);
        if emptied {
            self.discard(key, found, Free::Now);
            self.record(key, Event::DEL);
        }
        Ok(result)
    }

    /// Stores a collection, which is not empty, under a key, whatever was there; its expiry goes.
    pub fn store<C: Stored>(&mut self, key: &Key<'_>, collection: C, event: Event, dirty: usize) {
        let found = self.find(key);
        NewValue::with_collection(collection, |value| self.replace(key, found, value, Ttl::Clear));
        self.effects.dirty += dirty as u64;
        self.record(key, event);
    }

    fn record_log(&mut self, key: &Key<'_>, log: Log) {
        self.effects.dirty += log.dirty;
        if log.wakes {
            self.wake(key, None);
        }
        for event in log.events {
            self.record(key, event);
        }
    }
}
