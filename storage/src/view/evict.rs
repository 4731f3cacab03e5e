//! Making room: a look at some keys that might go, and the end of one of them.

use super::{Free, View};
use crate::access::AccessPolicy;
use crate::effects::Event;
use crate::entry::Slot;
use crate::journal::Lapse;
use crate::keyspace::{Db, Key, Keyspace, SHARDS};
use crate::table::NO_HINT;

/// Which keys may be evicted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evictable {
    All,
    /// Those that would go by themselves one day.
    Expiring,
}

impl Evictable {
    fn includes(self, slot: &Slot) -> bool {
        self == Evictable::All || slot.expires()
    }

    fn count(self, db: &Db) -> usize {
        match self {
            Evictable::All => db.table.len(),
            Evictable::Expiring => db.expiring,
        }
    }
}

/// A key that might be evicted, as it is now.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    pub db: usize,
    slot: &'a Slot,
    access: &'a AccessPolicy,
    now_ms: i64,
}

impl<'a> Candidate<'a> {
    pub fn key(&self) -> &'a [u8] {
        self.slot.key()
    }

    /// Seconds since the last access.
    pub fn idle_seconds(&self) -> u64 {
        self.access.idle_seconds(self.slot.access(), self.now_ms)
    }

    /// How often it is used, from 0 to 255.
    pub fn frequency(&self) -> u32 {
        self.access.frequency(self.slot.access(), self.now_ms)
    }

    /// Unix milliseconds.
    pub fn expiry(&self) -> Option<i64> {
        self.slot.expiry()
    }
}

/// What a sample amounts to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sampled {
    Found,
    /// There may be some: in shards that others hold, or the search was given up before it took too long.
    NotYet,
    /// There is nothing to evict.
    Nothing,
}

/// Where at least one key in so many expires, trying keys at random is the quickest way to one.
const DENSE: usize = 4;
/// So many tries for each key that is wanted find some, as good as always.
const TRIES: usize = 4 * DENSE;
/// Pages that one sample looks at. With what the processor waits for each, some tenths of a millisecond.
const PAGES: usize = 2048;

impl Keyspace {
    /// Shows `each` about `count` keys of every database that may be evicted, picked at random: from one shard, and if
    /// that has too few, from the next ones. One shard at a time is locked, and none is waited for.
    pub fn sample(
        &self,
        from: Evictable,
        count: usize,
        now_ms: i64,
        mut random: impl FnMut() -> u64,
        mut each: impl FnMut(Candidate<'_>),
    ) -> Sampled {
        let first = random() as usize % SHARDS;
        let (mut found, mut missing, mut pages) = (0, false, PAGES);
        for step in 0..SHARDS {
            let Some(shard) = self.shards[(first + step) % SHARDS].try_lock() else {
                missing = true;
                continue;
            };
            for (number, db) in shard.filled().filter(|(_, db)| from.count(db) > 0) {
                let before = found;
                let show = |slot: &Slot| {
                    found += 1;
                    each(Candidate { db: number, slot, access: &self.access, now_ms });
                };
                sample_db(db, from, count, &mut pages, &mut random, show);
                missing |= found == before;
            }
            if found >= count || pages == 0 {
                break;
            }
        }
        match found {
            0 if missing => Sampled::NotYet,
            0 => Sampled::Nothing,
            _ => Sampled::Found,
        }
    }
}

/// Shows up to `count` keys of one database's part of a shard, looking at no more than `pages` pages.
fn sample_db(
    db: &Db,
    from: Evictable,
    count: usize,
    pages: &mut usize,
    mut random: impl FnMut() -> u64,
    mut show: impl FnMut(&Slot),
) {
    let table = &db.table;
    let mut wanted = count.min(from.count(db));
    if from.count(db) * DENSE >= table.len() {
        for _ in 0..wanted * TRIES {
            let Some(slot) = table.random(&mut random).filter(|slot| from.includes(slot)) else { continue };
            show(slot);
            wanted -= 1;
            if wanted == 0 {
                return;
            }
        }
    }
    // A page without a hint has none that expires, which is told without a look at its keys.
    let first = random() as usize % table.page_count().max(1);
    for number in first..first + table.page_count() {
        if wanted == 0 || *pages == 0 {
            return;
        }
        *pages -= 1;
        let Some((slots, hint)) = table.page_items(number) else { return };
        if hint == NO_HINT || slots.is_empty() {
            continue;
        }
        let (behind, before) = slots.split_at(random() as usize % slots.len());
        for slot in before.iter().chain(behind).filter(|slot| from.includes(slot)).take(wanted) {
            show(slot);
            wanted -= 1;
        }
    }
}

impl View<'_> {
    /// Evicts a key if it may go and `still` agrees. Tells whether it did.
    pub fn evict(&mut self, key: &Key<'_>, from: Evictable, still: impl FnOnce(Candidate<'_>) -> bool) -> bool {
        let Some(handle) = self.find(key) else { return false };
        let (keyspace, db, now_ms) = (self.keyspace, self.db, self.now_ms);
        let slot = self.table_db(key).table.at(handle);
        if !from.includes(slot) || !still(Candidate { db, slot, access: &keyspace.access, now_ms }) {
            return false;
        }
        self.discard(key, handle, Free::Later);
        self.effects.evicted += 1;
        self.lapsed(key, Lapse::Evicted);
        self.record(key, Event::EVICTED);
        true
    }
}
