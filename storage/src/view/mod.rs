//! The one way to the keys: a view of locked shards that finds keys, expires the dead ones it meets, and records what
//! a command changed.

mod change;
mod entry;
mod evict;
mod expire;
mod journal;
mod moves;
mod restore;
mod serve;
mod snapshot;
mod walk;
mod watch;
mod whole;

use bytes::Bytes;
use smallvec::SmallVec;
use std::cell::Cell;

use crate::effects::{Actor, Effects, Event, Happening};
use crate::entry::{NewValue, Slot};
use crate::keyspace::{Db, Key, Keyspace, SHARDS};
use crate::locks::Locked;
use crate::random::quick_random;
use crate::table::Position;
use crate::value::{Type, WrongType};

pub use change::Log;
pub use entry::Entry;
pub use evict::{Candidate, Evictable, Sampled};
use expire::{FIELDS_AT_ONCE, hint_of};
use serve::Ready;
pub use whole::SizeCounts;

/// What becomes of a key's expiry when its value is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ttl {
    Clear,
    Keep,
    /// Unix milliseconds.
    At(i64),
}

/// Which thread frees what is removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Free {
    Now,
    Later,
}

/// Locked shards, seen by one command (or transaction, or script) at one instant.
pub struct View<'k> {
    keyspace: &'k Keyspace,
    locked: Locked<'k>,
    db: usize,
    now_ms: i64,
    /// What was to expire before this has expired: now, or never while old changes are made anew.
    horizon_ms: i64,
    actor: Actor,
    /// Whether reading a key counts as an access to it (CLIENT NO-TOUCH turns it off).
    touch: bool,
    /// Whether expired keys are only hidden instead of removed; for those who change nothing.
    keep_expired: bool,
    /// Keys that changed while somebody waits for them.
    ready: Option<Box<Ready>>,
    /// Something was written down that is not complete yet.
    incomplete: bool,
    /// Something was left out that somebody holds for long.
    gave_up: Cell<bool>,
    /// What was done so far.
    pub effects: Effects,
}

impl<'k> View<'k> {
    #[inline]
    pub(crate) fn new(keyspace: &'k Keyspace, locked: Locked<'k>, db: usize, now_ms: i64) -> View<'k> {
        let (ready, effects) = (None, Effects::default());
        View {
            keyspace,
            locked,
            db,
            now_ms,
            horizon_ms: now_ms,
            actor: Actor::default(),
            touch: true,
            keep_expired: false,
            ready,
            effects,
            incomplete: false,
            gave_up: Cell::new(false),
        }
    }

    pub fn keyspace(&self) -> &'k Keyspace {
        self.keyspace
    }

    pub fn db(&self) -> usize {
        self.db
    }

    /// Turns to another database, of which the same shards are locked.
    pub fn select(&mut self, db: usize) {
        self.db = db;
    }

    /// The instant, in Unix milliseconds, at which everything seen through this view happens.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// What expires up to this, in Unix milliseconds, has expired.
    pub fn horizon_ms(&self) -> i64 {
        self.horizon_ms
    }

    /// Whether nothing expires by itself: see [`View::keep_all`].
    pub fn keeps_all(&self) -> bool {
        self.horizon_ms == i64::MIN
    }

    /// Has nothing expire by itself: changes of the past are made anew through this view, whoever made them has seen what
    /// they are about, and where it expired there is a change that says so.
    pub fn keep_all(&mut self) {
        self.horizon_ms = i64::MIN;
    }

    /// Says for whom the view is used from now on. Returns for whom it was until now.
    #[inline]
    pub fn act_for(&mut self, actor: Actor) -> Actor {
        std::mem::replace(&mut self.actor, actor)
    }

    pub fn set_touch(&mut self, touch: bool) {
        self.touch = touch;
    }

    /// Has expired keys hidden instead of removed. Nothing may be changed through this view from now on: a key that is
    /// hidden would be added once more.
    pub fn keep_expired(&mut self) {
        self.keep_expired = true;
    }

    /// Reads a key: counts as a hit or a miss, and as an access.
    #[inline]
    pub fn read(&mut self, key: &Key<'_>) -> Option<Entry<'_>> {
        let fields = self.effects.expired_fields;
        let found = self.find(key);
        match found {
            // It was there until the last of its fields was found to have expired.
            None if self.effects.expired_fields == fields => self.missed(key),
            _ => self.effects.hits += 1,
        }
        Some(self.accessed(key, found?))
    }

    #[inline]
    fn accessed(&mut self, key: &Key<'_>, handle: Position) -> Entry<'_> {
        let (touch, keyspace, now_ms) = (self.touch, self.keyspace, self.now_ms);
        let slot = self.table_db(key).table.at_mut(handle);
        if touch {
            let clock = keyspace.access.read(slot.access(), now_ms, quick_random);
            note_access(slot, clock);
        }
        Entry(slot)
    }

    /// Reads several keys as [`View::read`] does.
    pub fn read_all(&mut self, keys: &[Key<'_>]) -> SmallVec<[Option<Entry<'_>>; 4]> {
        // What has expired goes first, then nothing moves any more.
        for key in keys {
            self.read(key);
        }
        keys.iter().map(|key| self.look(key)).collect()
    }

    /// Looks at several keys as [`View::peek`] does.
    pub fn peek_all(&mut self, keys: &[Key<'_>]) -> SmallVec<[Option<Entry<'_>>; 4]> {
        for key in keys {
            self.find(key);
        }
        keys.iter().map(|key| self.look(key)).collect()
    }

    /// A long string's buffer, to be sent without a copy; `None` where copying is the better way.
    pub fn share(&mut self, key: &Key<'_>) -> Option<Bytes> {
        let handle = self.find(key)?;
        self.table_db(key).table.at_mut(handle).share()
    }

    /// Looks at a key that is about to be changed: no statistics, no access.
    pub fn peek(&mut self, key: &Key<'_>) -> Option<Entry<'_>> {
        let found = self.find(key)?;
        Some(Entry(self.table_db(key).table.at(found)))
    }

    /// Stores a value under a key, whatever was there. Tells whether the key existed.
    #[inline]
    pub fn set(&mut self, key: &Key<'_>, value: NewValue<'_>, ttl: Ttl, event: Event) -> bool {
        let found = self.find(key);
        self.replace(key, found, value, ttl);
        self.changed(key, event);
        if let Ttl::At(_) = ttl {
            self.tell(key, Event::EXPIRE);
        }
        found.is_some()
    }

    /// Computes a new value from the old one and stores it, keeping the expiry; nothing happens on an error.
    #[inline]
    pub fn update<'a, E>(
        &mut self,
        key: &Key<'_>,
        event: Event,
        compute: impl FnOnce(Option<Entry<'_>>) -> Result<NewValue<'a>, E>,
    ) -> Result<(), E> {
        let found = self.find(key);
        let old = found.map(|handle| Entry(self.table_db(key).table.at(handle)));
        let value = compute(old)?;
        self.put(key, found, value, Ttl::Keep);
        self.changed(key, event);
        Ok(())
    }

    /// Stores another form of the same value: nobody hears of that.
    pub fn reencode(&mut self, key: &Key<'_>, value: NewValue<'_>) {
        let found = self.find(key);
        self.put(key, found, value, Ttl::Keep);
        self.effects.dirty += 1;
    }

    /// Lets `edit` change a string's bytes in place, after lengthening it with zeros to `min_len`; a missing key is an
    /// empty string. `edit` says besides its result whether it changed anything.
    pub fn edit<R>(
        &mut self,
        key: &Key<'_>,
        min_len: usize,
        event: Event,
        edit: impl FnOnce(&mut [u8]) -> (R, bool),
    ) -> Result<R, WrongType> {
        let found = match self.find(key) {
            Some(position) => position,
            None => self.insert(key, NewValue::Raw(b""), None),
        };
        self.hand_over(key, found);
        let (keyspace, now_ms) = (self.keyspace, self.now_ms);
        let slot = self.table_db(key).table.at_mut(found);
        let grows = slot.string().ok_or(WrongType)?.len() < min_len;
        let (result, changed) = slot.edit(min_len, edit)?;
        touch_slot(keyspace, slot, now_ms);
        if changed || grows {
            self.changed(key, event);
        }
        Ok(result)
    }

    /// Changes bytes of a string, of which no event tells.
    pub fn edit_silently(&mut self, key: &Key<'_>, edit: impl FnOnce(&mut [u8])) -> Result<(), WrongType> {
        let Some(found) = self.find(key) else { return Ok(()) };
        self.hand_over(key, found);
        self.table_db(key).table.at_mut(found).edit(0, edit)?;
        self.effects.dirty += 1;
        self.modified(key, Event::CHANGED);
        Ok(())
    }

    /// Locks keys of a script that were not known when it began, while the others are held. Tells whether that could be
    /// done.
    pub fn reach(&mut self, keys: &[Key<'_>]) -> bool {
        self.locked.reach(self.keyspace, keys.iter().map(Key::shard))
    }

    /// As [`View::reach`], for everything.
    pub fn reach_all(&mut self) -> bool {
        let reached = self.locked.reach(self.keyspace, 0..SHARDS);
        if reached {
            self.locked.all_are_held();
        }
        reached
    }

    /// Does as another view does.
    pub fn take_settings(&mut self, other: &View<'_>) {
        (self.actor, self.touch, self.keep_expired) = (other.actor, other.touch, other.keep_expired);
        if other.keeps_all() {
            self.keep_all();
        }
    }

    /// Counts a change that leaves the value as it is as an access to its key.
    fn touch(&mut self, key: &Key<'_>, handle: Position) {
        if self.touch {
            let (keyspace, now_ms) = (self.keyspace, self.now_ms);
            touch_slot(keyspace, self.table_db(key).table.at_mut(handle), now_ms);
        }
    }

    /// A key that was found before, while nothing has changed since.
    fn look(&self, key: &Key<'_>) -> Option<Entry<'_>> {
        let table = &self.locked.shard_ref(key.shard()).db(self.db)?.table;
        let slot = table.find(key.hash, |slot| slot.key() == key.bytes)?;
        (!is_expired(slot, self.horizon_ms)).then_some(Entry(slot))
    }

    fn table_db(&mut self, key: &Key<'_>) -> &mut Db {
        self.locked.shard(key.shard()).db_mut(self.db)
    }

    /// The place of a live key. A dead one is removed on the way.
    #[inline]
    fn find(&mut self, key: &Key<'_>) -> Option<Position> {
        self.find_expiring(key, FIELDS_AT_ONCE)
    }

    /// As [`View::find`], but where changes are written down, no dead field is left in a hash, not even hidden: when the
    /// change is made anew, nothing tells what time it was.
    #[inline]
    fn find_to_change(&mut self, key: &Key<'_>) -> Option<Position> {
        self.find_with(key, |view, handle| {
            let most = if view.keyspace.journal().is_some() { usize::MAX } else { FIELDS_AT_ONCE };
            view.expire_inside(key, handle, most)
        })
    }

    /// As [`View::find`]; of a hash, up to so many dead fields are removed on the way.
    #[inline]
    fn find_expiring(&mut self, key: &Key<'_>, most_fields: usize) -> Option<Position> {
        self.find_with(key, |view, handle| view.expire_inside(key, handle, most_fields))
    }

    /// As [`View::find`]; `look_inside` sees to a value in which something expires.
    #[inline]
    fn find_with(
        &mut self,
        key: &Key<'_>,
        look_inside: impl FnOnce(&mut Self, Position) -> Option<Position>,
    ) -> Option<Position> {
        let horizon_ms = self.horizon_ms;
        let table = &self.table_db(key).table;
        let handle = table.position(key.hash, |slot| slot.key() == key.bytes)?;
        let slot = table.at(handle);
        if is_expired(slot, horizon_ms) {
            self.expire(key, handle);
            return None;
        }
        if slot.is_timed() {
            return look_inside(self, handle);
        }
        Some(handle)
    }

    #[inline]
    fn put(&mut self, key: &Key<'_>, found: Option<Position>, value: NewValue<'_>, ttl: Ttl) {
        let Some(handle) = found else {
            let expiry = if let Ttl::At(when) = ttl { Some(when) } else { None };
            self.insert(key, value, expiry);
            return;
        };
        let (keyspace, now_ms) = (self.keyspace, self.now_ms);
        let db = self.table_db(key);
        let slot = db.table.at_mut(handle);
        db.timed -= usize::from(slot.is_timed());
        if slot.is_big() {
            let next = Slot::new(key.bytes, slot.expiry(), value, slot.access());
            let old = std::mem::replace(slot, next);
            let wanted = db.mark.as_mut().is_some_and(|mark| mark.claim(key));
            let old = match &db.mark {
                Some(mark) => mark.leave(old, !wanted),
                None => Some(old),
            };
            if let Some(old) = old {
                keyspace.reclaimer.entry(old);
            }
        } else {
            if let Some(mark) = &mut db.mark {
                mark.hand_over(keyspace, key, slot, now_ms);
            }
            slot.set_value(value);
        }
        touch_slot(keyspace, slot, now_ms);
        if slot.is_timed() {
            db.timed += 1;
            self.lower_hint(key, handle);
        }
        match ttl {
            Ttl::Keep => {}
            Ttl::Clear if !self.table_db(key).table.at(handle).expires() => {}
            Ttl::Clear => self.put_expiry(key, handle, None),
            Ttl::At(when) => self.put_expiry(key, handle, Some(when)),
        }
    }

    /// As [`View::put`], for what replaces a whole value, which is told.
    #[inline]
    fn replace(&mut self, key: &Key<'_>, found: Option<Position>, value: NewValue<'_>, ttl: Ttl) {
        let Some(handle) = found.filter(|_| self.keyspace.observes_replacing()) else {
            return self.put(key, found, value, ttl);
        };
        let old = Entry(self.table_db(key).table.at(handle)).kind();
        self.put(key, found, value, ttl);
        self.tell_replaced(key, handle, Some(old));
    }

    /// Makes room for another entry under a key. Returns the type of what was there.
    fn vacate(&mut self, key: &Key<'_>) -> Option<Type> {
        let found = self.find(key)?;
        let kind = Entry(self.table_db(key).table.at(found)).kind();
        self.discard(key, found, Free::Later);
        Some(kind)
    }

    /// Tells that a key has another value in place of its old one, if there was one.
    fn tell_replaced(&mut self, key: &Key<'_>, handle: Position, old: Option<Type>) {
        let Some(old) = old else { return };
        self.tell(key, Event::OVERWRITTEN);
        if Entry(self.table_db(key).table.at(handle)).kind() != old {
            self.tell(key, Event::TYPE_CHANGED);
        }
    }

    fn put_expiry(&mut self, key: &Key<'_>, handle: Position, expiry: Option<i64>) {
        self.hand_over(key, handle);
        let db = self.table_db(key);
        let slot = db.table.at_mut(handle);
        db.expiring = db.expiring + usize::from(expiry.is_some()) - usize::from(slot.expires());
        slot.set_expiry(expiry);
        if let Some(when) = expiry {
            db.table.lower_hint(key.hash, hint_of(when));
        }
    }

    fn insert(&mut self, key: &Key<'_>, value: NewValue<'_>, expiry: Option<i64>) -> Position {
        let slot = Slot::new(key.bytes, expiry, value, self.keyspace.access.fresh(self.now_ms));
        let handle = self.adopt(key, slot);
        self.record(key, Event::NEW);
        handle
    }

    /// Puts an entry, whose key is not there, into the table.
    fn adopt(&mut self, key: &Key<'_>, slot: Slot) -> Position {
        self.keep_out(key);
        let keyspace = self.keyspace;
        let db = self.table_db(key);
        let expiry = slot.expiry();
        let handle = db.table.insert_unique(key.hash, slot, |slot| keyspace.slot_hash(slot));
        if let Some(when) = expiry {
            db.expiring += 1;
            db.table.lower_hint(key.hash, hint_of(when));
        }
        if db.table.at(handle).is_timed() {
            db.timed += 1;
            self.lower_hint(key, handle);
        }
        handle
    }

    fn take(&mut self, key: &Key<'_>, handle: Position) -> Slot {
        self.hand_over(key, handle);
        let db = self.table_db(key);
        let slot = db.table.remove_at(handle);
        db.expiring -= usize::from(slot.expires());
        db.timed -= usize::from(slot.is_timed());
        slot
    }

    fn release(&self, slot: Slot, free: Free) {
        if free == Free::Later && slot.is_big() {
            self.keyspace.reclaimer.entry(slot);
        } else {
            slot.free();
        }
    }

    /// Counts and tells that somebody has looked for a key in vain.
    fn missed(&mut self, key: &Key<'_>) {
        self.effects.misses += 1;
        self.tell(key, Event::KEY_MISS);
    }

    #[inline]
    fn changed(&mut self, key: &Key<'_>, event: Event) {
        self.effects.dirty += 1;
        self.record(key, event);
    }

    #[inline]
    fn record(&mut self, key: &Key<'_>, event: Event) {
        self.tell(key, event);
        if event.modifies() {
            self.modified(key, event.change());
        }
        self.wake(key, Some(event));
    }

    /// Those who wait for the key are looked after when the command is over, if what happened can help any.
    #[inline]
    fn wake(&mut self, key: &Key<'_>, event: Option<Event>) {
        let db = self.db;
        if let Some(waiting) = self.locked.shard_ref(key.shard()).waiting()
            && event.is_none_or(Event::helps_waiters)
            && waiting.contains(db, key.bytes)
        {
            self.ready.get_or_insert_default().add(db, key.bytes);
        }
    }

    /// Lets whoever observes events of this class hear of it.
    #[inline]
    fn tell(&mut self, key: &Key<'_>, event: Event) {
        if self.keyspace.observes(event.class) {
            self.tell_observer(key.bytes, event);
        }
    }

    #[cold]
    fn tell_observer(&mut self, key: &[u8], event: Event) {
        // Others may hear of it only when this is complete.
        self.writes_down();
        self.keyspace.tell(&Happening { db: self.db, key, event, actor: self.actor });
    }
}

/// A key is there up to and including the millisecond of its expiry.
#[inline]
fn is_expired(slot: &Slot, horizon_ms: i64) -> bool {
    slot.expiry().is_some_and(|when| when < horizon_ms)
}

#[inline]
fn touch_slot(keyspace: &Keyspace, slot: &mut Slot, now_ms: i64) {
    let clock = keyspace.access.touched(slot.access(), now_ms, quick_random);
    note_access(slot, clock);
}

#[inline]
fn note_access(slot: &mut Slot, clock: u32) {
    if clock != slot.access() {
        slot.set_access(clock);
    }
}
