//! The one way to the keys: a view of locked shards that finds keys, expires the dead ones it meets, and records what
//! a command changed.

use bytes::Bytes;

use crate::effects::{Effect, Effects, Event};
use crate::entry::{Kind, NewValue, Slot, StrRef};
use crate::keyspace::{Db, Key, Keyspace, Locked, SHARDS};
use crate::reclaim::{WORTHWHILE, free_table};
use crate::table::{NO_HINT, Position};

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

/// Strings up to this length are reported as "embstr".
const MAX_EMBSTR: usize = 44;

/// A key as commands read it. Changing goes through the [`View`], which records it.
pub struct Entry<'v>(&'v mut Slot);

impl Entry<'_> {
    pub fn value(&self) -> StrRef<'_> {
        self.0.value()
    }

    /// A long string's buffer, to be sent without a copy.
    pub fn share(&mut self) -> Option<Bytes> {
        self.0.share()
    }

    pub fn kind(&self) -> Kind {
        self.0.kind()
    }

    /// The encoding's name as OBJECT ENCODING tells it, by the rules of Redis rather than by how the value lies here.
    pub fn encoding(&self) -> &'static str {
        match self.kind() {
            Kind::Int => "int",
            Kind::Inline if self.value().len() <= MAX_EMBSTR => "embstr",
            Kind::Inline | Kind::InlineRaw | Kind::Heap => "raw",
        }
    }

    pub fn expiry(&self) -> Option<i64> {
        self.0.expiry()
    }

    /// Where the entry lies, for people to look at only.
    pub fn address(&self) -> *const u8 {
        self.0.address()
    }

    pub fn access(&self) -> u32 {
        self.0.access()
    }

    /// Bytes that the key and its value take, its place in the table included.
    pub fn memory(&self) -> usize {
        self.0.memory() + size_of::<Slot>()
    }
}

/// Locked shards, seen by one command (or transaction, or script) at one instant.
pub struct View<'k> {
    keyspace: &'k Keyspace,
    locked: Locked<'k>,
    db: usize,
    now_ms: i64,
    /// Whether reading a key counts as an access to it (CLIENT NO-TOUCH turns it off).
    touch: bool,
    /// What was done so far.
    pub effects: Effects,
}

impl<'k> View<'k> {
    #[inline]
    pub(crate) fn new(keyspace: &'k Keyspace, locked: Locked<'k>, db: usize, now_ms: i64) -> View<'k> {
        View { keyspace, locked, db, now_ms, touch: true, effects: Effects::default() }
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

    pub fn set_touch(&mut self, touch: bool) {
        self.touch = touch;
    }

    /// Reads a key: counts as a hit or a miss, and as an access.
    #[inline]
    pub fn read(&mut self, key: &Key<'_>) -> Option<Entry<'_>> {
        let found = self.find(key);
        match found {
            Some(_) => self.effects.hits += 1,
            None => self.effects.misses += 1,
        }
        let handle = found?;
        let (touch, keyspace, now_ms) = (self.touch, self.keyspace, self.now_ms);
        let slot = self.table_db(key).table.at_mut(handle);
        if touch {
            touch_slot(keyspace, slot, now_ms);
        }
        Some(Entry(slot))
    }

    /// Looks at a key without an access to it; counts as a hit or a miss.
    pub fn inspect(&mut self, key: &Key<'_>) -> Option<Entry<'_>> {
        let found = self.find(key);
        match found {
            Some(_) => self.effects.hits += 1,
            None => self.effects.misses += 1,
        }
        Some(Entry(self.table_db(key).table.at_mut(found?)))
    }

    /// Looks at a key that is about to be changed: no statistics, no access.
    pub fn peek(&mut self, key: &Key<'_>) -> Option<Entry<'_>> {
        let found = self.find(key)?;
        Some(Entry(self.table_db(key).table.at_mut(found)))
    }

    pub fn exists(&mut self, key: &Key<'_>) -> bool {
        self.find(key).is_some()
    }

    /// Stores a value under a key, whatever was there. Tells whether the key existed.
    #[inline]
    pub fn set(&mut self, key: &Key<'_>, value: NewValue<'_>, ttl: Ttl, event: Event) -> bool {
        let found = self.find(key);
        self.put(key, found, value, ttl);
        self.changed(key, event);
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
        let old = found.map(|handle| Entry(self.table_db(key).table.at_mut(handle)));
        let value = compute(old)?;
        self.put(key, found, value, Ttl::Keep);
        self.changed(key, event);
        Ok(())
    }

    /// Lets `edit` change a string's bytes in place, after lengthening it with zeros to `min_len`; a missing key is an
    /// empty string. `edit` says besides its result whether it changed anything.
    pub fn edit<R>(
        &mut self,
        key: &Key<'_>,
        min_len: usize,
        event: Event,
        edit: impl FnOnce(&mut [u8]) -> (R, bool),
    ) -> R {
        let found = match self.find(key) {
            Some(position) => position,
            None => self.insert(key, NewValue::Raw(b""), None),
        };
        let (keyspace, now_ms) = (self.keyspace, self.now_ms);
        let slot = self.table_db(key).table.at_mut(found);
        let grows = slot.value().len() < min_len;
        let (result, changed) = slot.edit(min_len, edit);
        touch_slot(keyspace, slot, now_ms);
        if changed || grows {
            self.changed(key, event);
        }
        result
    }

    /// Removes a key. Tells whether it was there.
    pub fn remove(&mut self, key: &Key<'_>, free: Free, event: Event) -> bool {
        let Some(handle) = self.find(key) else { return false };
        let slot = self.take(key, handle);
        self.release(slot, free);
        self.changed(key, event);
        true
    }

    /// Sets or clears the expiry of a key. Tells whether the key is there.
    pub fn set_expiry(&mut self, key: &Key<'_>, expiry: Option<i64>, event: Event) -> bool {
        let Some(handle) = self.find(key) else { return false };
        self.put_expiry(key, handle, expiry);
        self.touch(key, handle);
        self.changed(key, event);
        true
    }

    /// Moves a key's value and expiry to another name, replacing what is there. The key must exist.
    pub fn rename(&mut self, from: &Key<'_>, to: &Key<'_>) -> bool {
        let Some(handle) = self.find(from) else { return false };
        let mut slot = self.take(from, handle);
        if let Some(old) = self.find(to) {
            let old = self.take(to, old);
            self.release(old, Free::Now);
        }
        let expiry = slot.expiry();
        slot.rename(to.bytes, expiry);
        let handle = self.adopt(to, slot);
        self.touch(to, handle);
        self.changed(from, Event::RENAME_FROM);
        self.record(to, Event::RENAME_TO);
        true
    }

    /// Copies a key's value and expiry to another name in database `db`, replacing what is there.
    pub fn copy(&mut self, from: &Key<'_>, to: &Key<'_>, db: usize) -> bool {
        let Some(handle) = self.find(from) else { return false };
        let access = self.keyspace.access.fresh(self.now_ms);
        let slot = *self.table_db(from).table.at(handle);
        let copy = slot.duplicate(to.bytes, slot.expiry(), access);
        let home = std::mem::replace(&mut self.db, db);
        if let Some(old) = self.find(to) {
            let old = self.take(to, old);
            self.release(old, Free::Now);
        }
        self.adopt(to, copy);
        self.changed(to, Event::COPY_TO);
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
        self.record(key, Event::MOVE_FROM);
        self.db = db;
        self.adopt(key, slot);
        self.changed(key, Event::MOVE_TO);
        self.db = home;
        true
    }

    /// Removes every key of a database. Returns how many there were. Needs all shards.
    pub fn flush(&mut self, db: usize, free: Free) -> usize {
        let mut removed = 0;
        for shard in self.locked.all() {
            let db = shard.db_mut(db);
            removed += db.table.len();
            db.expiring = 0;
            let table = std::mem::take(&mut db.table);
            match free {
                Free::Now => free_table(table),
                Free::Later if !table.is_empty() => self.keyspace.reclaimer.table(table),
                Free::Later => {}
            }
        }
        self.effects.dirty += removed as u64;
        removed
    }

    /// Exchanges two databases. Needs all shards.
    pub fn swap(&mut self, a: usize, b: usize) {
        for shard in self.locked.all() {
            shard.swap(a, b);
        }
        self.effects.dirty += 1;
    }

    /// Calls `each` with every live key of the current database. Needs all shards.
    pub fn for_each_key(&mut self, mut each: impl FnMut(&[u8])) {
        let (db, now_ms) = (self.db, self.now_ms);
        for shard in self.locked.all() {
            let Some(db) = shard.db(db) else { continue };
            for slot in db.table.iter().filter(|slot| !is_expired(slot, now_ms)) {
                each(slot.key());
            }
        }
    }

    /// One step of SCAN over one shard: passes the live keys of the next page on and returns the cursor of the one
    /// after it, 0 at the end.
    pub fn scan_shard(&mut self, shard: usize, cursor: u64, mut each: impl FnMut(&[u8], Kind)) -> u64 {
        let (db, now_ms) = (self.db, self.now_ms);
        let Some(db) = self.locked.shard(shard).db(db) else { return 0 };
        db.table.scan(cursor, |slot| {
            if !is_expired(slot, now_ms) {
                each(slot.key(), slot.kind());
            }
        })
    }

    /// A key of one shard, each with the same chance; expired ones are removed until a live one turns up.
    pub fn random_in_shard(&mut self, shard: usize, mut random: impl FnMut() -> u64) -> Option<Vec<u8>> {
        loop {
            let (db, now_ms) = (self.db, self.now_ms);
            let slot = self.locked.shard(shard).db(db)?.table.random(&mut random)?;
            let name = slot.key().to_vec();
            if !is_expired(slot, now_ms) {
                return Some(name);
            }
            let key = self.keyspace.key(&name);
            self.find(&key);
        }
    }

    /// Expired keys of one shard and database are removed, at most about `budget` looked at. Tells whether all were.
    pub(crate) fn sweep_expired(&mut self, shard: usize, budget: usize) -> bool {
        let now_ms = self.now_ms;
        let now_seconds = hint_of(now_ms);
        let mut looked_at = 0;
        let mut dead: Vec<Vec<u8>> = Vec::new();
        let db = self.locked.shard(shard).db_mut(self.db);
        let mut number = 0;
        while looked_at < budget {
            number = db.table.visit_page(number, |page| {
                if page.hint() > now_seconds {
                    return;
                }
                let mut earliest = NO_HINT;
                for slot in page.items() {
                    let Some(expiry) = slot.expiry() else { continue };
                    looked_at += 1;
                    if expiry < now_ms {
                        dead.push(slot.key().to_vec());
                    } else {
                        earliest = earliest.min(hint_of(expiry));
                    }
                }
                page.set_hint(earliest);
            });
            if number == 0 {
                break;
            }
        }
        for name in dead {
            let key = self.keyspace.key(&name);
            self.find(&key);
        }
        looked_at < budget
    }

    /// Counts a change that leaves the value as it is as an access to its key.
    fn touch(&mut self, key: &Key<'_>, handle: Position) {
        if self.touch {
            let (keyspace, now_ms) = (self.keyspace, self.now_ms);
            touch_slot(keyspace, self.table_db(key).table.at_mut(handle), now_ms);
        }
    }

    fn table_db(&mut self, key: &Key<'_>) -> &mut Db {
        self.locked.shard(key.shard()).db_mut(self.db)
    }

    /// The place of a live key. A dead one is removed on the way.
    #[inline]
    fn find(&mut self, key: &Key<'_>) -> Option<Position> {
        let now_ms = self.now_ms;
        let table = &self.table_db(key).table;
        let handle = table.position(key.hash, |slot| slot.key() == key.bytes)?;
        if is_expired(table.at(handle), now_ms) {
            self.expire(key, handle);
            return None;
        }
        Some(handle)
    }

    #[cold]
    fn expire(&mut self, key: &Key<'_>, handle: Position) {
        let slot = self.take(key, handle);
        self.release(slot, Free::Later);
        self.effects.expired += 1;
        self.changed(key, Event::EXPIRED);
    }

    #[inline]
    fn put(&mut self, key: &Key<'_>, found: Option<Position>, value: NewValue<'_>, ttl: Ttl) {
        let Some(handle) = found else {
            let expiry = if let Ttl::At(when) = ttl { Some(when) } else { None };
            self.insert(key, value, expiry);
            return;
        };
        let (keyspace, now_ms) = (self.keyspace, self.now_ms);
        let slot = self.table_db(key).table.at_mut(handle);
        slot.set_value(value);
        touch_slot(keyspace, slot, now_ms);
        match ttl {
            Ttl::Keep => {}
            Ttl::Clear if !slot.expires() => {}
            Ttl::Clear => self.put_expiry(key, handle, None),
            Ttl::At(when) => self.put_expiry(key, handle, Some(when)),
        }
    }

    fn put_expiry(&mut self, key: &Key<'_>, handle: Position, expiry: Option<i64>) {
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
        let keyspace = self.keyspace;
        let db = self.table_db(key);
        let expiry = slot.expiry();
        let handle = db.table.insert_unique(key.hash, slot, |slot| keyspace.slot_hash(slot));
        if let Some(when) = expiry {
            db.expiring += 1;
            db.table.lower_hint(key.hash, hint_of(when));
        }
        handle
    }

    fn take(&mut self, key: &Key<'_>, handle: Position) -> Slot {
        let db = self.table_db(key);
        let slot = db.table.remove_at(handle);
        db.expiring -= usize::from(slot.expires());
        slot
    }

    fn release(&self, slot: Slot, free: Free) {
        if free == Free::Later && slot.heap_len() >= WORTHWHILE {
            self.keyspace.reclaimer.entry(slot);
        } else {
            slot.free();
        }
    }

    #[inline]
    fn changed(&mut self, key: &Key<'_>, event: Event) {
        self.effects.dirty += 1;
        self.record(key, event);
    }

    #[inline]
    fn record(&mut self, key: &Key<'_>, event: Event) {
        if self.keyspace.observed() {
            self.effects.events.push(Effect { db: self.db, key: key.bytes.into(), event });
        }
    }
}

impl Keyspace {
    /// A key of a database, each with the same chance. Keys that turn out to be expired are removed, which `effects`
    /// records.
    pub fn random_key(
        &self,
        db: usize,
        now_ms: i64,
        mut random: impl FnMut() -> u64,
        effects: &mut Effects,
    ) -> Option<Vec<u8>> {
        // A shard is chosen by its share of the keys; expiry may empty it meanwhile, then another is chosen.
        loop {
            let mut at = match self.counts(db).keys {
                0 => return None,
                keys => ((u128::from(random()) * keys as u128) >> 64) as usize,
            };
            for shard in 0..SHARDS {
                let mut view = self.view_shard(db, shard, now_ms);
                let keys = view.locked.shard(shard).db(db).map_or(0, |db| db.table.len());
                if at < keys {
                    let key = view.random_in_shard(shard, &mut random);
                    effects.absorb(view.effects);
                    if key.is_some() {
                        return key;
                    }
                    break;
                }
                at = at.saturating_sub(keys);
            }
        }
    }
}

/// A key is there up to and including the millisecond of its expiry.
#[inline]
fn is_expired(slot: &Slot, now_ms: i64) -> bool {
    slot.expiry().is_some_and(|when| when < now_ms)
}

/// Page hints are in whole seconds, rounded down: a lower bound.
fn hint_of(ms: i64) -> u32 {
    u32::try_from((ms / 1000).max(0)).unwrap_or(u32::MAX - 1).min(u32::MAX - 1)
}

#[inline]
fn touch_slot(keyspace: &Keyspace, slot: &mut Slot, now_ms: i64) {
    let clock = keyspace.access.touched(slot.access(), now_ms, rand_u32);
    if clock != slot.access() {
        slot.set_access(clock);
    }
}

/// Only for the odds of the frequency counter: quality does not matter, speed does.
fn rand_u32() -> u32 {
    use std::cell::Cell;
    thread_local!(static STATE: Cell<u32> = const { Cell::new(0x9e37_79b9) });
    let mut x = STATE.get();
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    STATE.set(x);
    x
}
