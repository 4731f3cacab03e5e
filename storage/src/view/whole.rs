//! Figures about all shards. A view that holds none of them locks one after the other.

use super::View;
use crate::entry::Slot;
use crate::keyspace::{DbCounts, SHARDS, Shard};
use crate::locks::{Patience, Scope};
use crate::value::Value;
use crate::waiting::WaitList;

/// How many values of each type there are by their lengths: the bytes of strings, the elements of collections. The
/// first count is of empty values, each other one of lengths from a power of two, beginning with 1, to the next.
#[derive(Clone, Debug)]
pub struct SizeCounts {
    pub strings: [u64; SizeCounts::STEPS],
    pub lists: [u64; SizeCounts::STEPS],
    pub sets: [u64; SizeCounts::STEPS],
    pub zsets: [u64; SizeCounts::STEPS],
    pub hashes: [u64; SizeCounts::STEPS],
}

impl SizeCounts {
    const STEPS: usize = 1 + usize::BITS as usize;

    fn add(&mut self, value: Value<'_>) {
        let (counts, length) = match value {
            Value::Str(string) => (&mut self.strings, string.len()),
            Value::List(list) => (&mut self.lists, list.len()),
            Value::Set(set) => (&mut self.sets, set.len()),
            Value::Zset(zset) => (&mut self.zsets, zset.len()),
            Value::Hash(hash) => (&mut self.hashes, hash.len()),
            Value::Stream(_) => return,
        };
        counts[length.checked_ilog2().map_or(0, |power| power as usize + 1)] += 1;
    }
}

impl Default for SizeCounts {
    fn default() -> SizeCounts {
        let none = [0; SizeCounts::STEPS];
        SizeCounts { strings: none, lists: none, sets: none, zsets: none, hashes: none }
    }
}

impl View<'_> {
    fn each_shard(&self, each: impl FnMut(&Shard)) {
        self.each_shard_with(Patience::UntilStalled, each);
    }

    fn each_shard_with(&self, patience: Patience, mut each: impl FnMut(&Shard)) {
        for index in 0..SHARDS {
            if self.locked.holds(index) {
                each(self.locked.shard_ref(index));
            } else {
                match self.keyspace.lock(Scope::Shard(index), patience) {
                    Some(locked) => each(locked.shard_ref(index)),
                    None => self.gave_up.set(true),
                }
            }
        }
    }

    /// Lets `work` see a shard: through this view if it holds it, otherwise through one of its own. `None` if somebody
    /// holds it for long.
    pub fn in_shard<R>(&mut self, shard: usize, work: impl FnOnce(&mut View<'_>) -> R) -> Option<R> {
        if self.locked.holds(shard) {
            return Some(work(self));
        }
        let Some(mut view) = self.keyspace.view_unless_stalled(self.db, Scope::Shard(shard), self.now_ms) else {
            self.gave_up.set(true);
            return None;
        };
        view.take_settings(self);
        let result = work(&mut view);
        view.serve_waiters();
        self.effects.absorb(std::mem::take(&mut view.effects));
        Some(result)
    }

    /// Whether something was left out because somebody holds a shard for long: then what was found is no answer.
    pub fn gave_up(&self) -> bool {
        self.gave_up.get()
    }

    /// How many keys are waited for, and how many of these by somebody who hears of their removal.
    pub fn awaited_keys(&self) -> (usize, usize) {
        let (mut keys, mut removal) = (0, 0);
        self.each_shard(|shard| {
            let (more, of_them) = shard.waiting().map_or((0, 0), WaitList::keys);
            keys += more;
            removal += of_them;
        });
        (keys, removal)
    }

    /// How many keys are watched.
    pub fn watched_keys(&self) -> usize {
        let mut keys = 0;
        self.each_shard(|shard| keys += shard.watched().map_or(0, |list| list.len()));
        keys
    }

    /// How many keys a database holds; expired ones count until they are found out.
    pub fn counts(&self, db: usize) -> DbCounts {
        let mut counts = DbCounts::default();
        self.each_shard(|shard| {
            if let Some(db) = shard.db(db) {
                counts.keys += db.table.len();
                counts.expiring += db.expiring;
                counts.timed += db.timed;
            }
        });
        counts
    }

    /// How long the values of a database are. Looks at every key.
    pub fn sizes(&self, db: usize) -> SizeCounts {
        let mut counts = SizeCounts::default();
        self.each_shard(|shard| {
            let slots = shard.db(db).into_iter().flat_map(|db| db.table.iter());
            slots.for_each(|slot| counts.add(slot.value()));
        });
        counts
    }

    /// How many keys all databases hold, but for shards that are in use at this moment.
    pub fn total_keys(&self) -> usize {
        let mut keys = 0;
        self.each_shard_with(Patience::None, |shard| keys += shard.dbs().map(|db| db.table.len()).sum::<usize>());
        keys
    }

    /// Bytes of the tables themselves, without the entries.
    pub fn table_memory(&self, db: usize) -> usize {
        let mut bytes = 0;
        self.each_shard(|shard| bytes += shard.db(db).map_or(0, |db| db.table.memory()));
        bytes
    }

    /// The mean time to live, in milliseconds, of up to about `samples` keys of a database that have an expiry.
    pub fn mean_ttl(&self, db: usize, samples: usize) -> i64 {
        let (mut sum, mut seen) = (0i64, 0usize);
        self.each_shard(|shard| {
            let Some(db) = shard.db(db).filter(|db| db.expiring > 0) else { return };
            for expiry in db.table.iter().filter_map(Slot::expiry).take(samples - seen) {
                sum = sum.saturating_add((expiry - self.now_ms).max(0));
                seen += 1;
            }
        });
        sum.checked_div(seen as i64).unwrap_or(0)
    }
}
