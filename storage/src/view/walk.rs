//! Walking over keys, and picking one at random.

use super::{View, is_expired};
use crate::keyspace::SHARDS;
use crate::value::Type;

impl View<'_> {
    /// Calls `each` with every live key of the current database. Needs all shards.
    pub fn for_each_key(&mut self, mut each: impl FnMut(&[u8])) {
        let (db, horizon_ms) = (self.db, self.horizon_ms);
        for shard in self.locked.all() {
            let Some(db) = shard.db(db) else { continue };
            for slot in db.table.iter().filter(|slot| !is_expired(slot, horizon_ms)) {
                each(slot.key());
            }
        }
    }

    /// One step of SCAN over one shard: passes the live keys of the next page on and returns the cursor of the one
    /// after it, 0 at the end.
    pub fn scan_shard(&mut self, shard: usize, cursor: u64, mut each: impl FnMut(&[u8], Type)) -> u64 {
        let (db, horizon_ms) = (self.db, self.horizon_ms);
        let Some(db) = self.locked.shard(shard).db(db) else { return 0 };
        db.table.scan(cursor, |slot| {
            if !is_expired(slot, horizon_ms) {
                each(slot.key(), slot.value().kind());
            }
        })
    }

    /// A key of one shard, each with the same chance, and whether it is live. Expired ones are removed until a live one
    /// turns up, unless this view keeps them.
    fn random_in_shard(&mut self, shard: usize, mut random: impl FnMut() -> u64) -> Option<(Vec<u8>, bool)> {
        loop {
            let (db, horizon_ms) = (self.db, self.horizon_ms);
            let slot = self.locked.shard(shard).db(db)?.table.random(&mut random)?;
            let name = slot.key().to_vec();
            let live = !is_expired(slot, horizon_ms);
            if live || self.keep_expired {
                return Some((name, live));
            }
            let key = self.keyspace.key(&name);
            self.find(&key);
        }
    }

    /// A key of the database, each with the same chance. Keys that turn out to be expired are removed. Where they are
    /// kept, there may be no others: of so many in a row the last is as good as any, as in Redis.
    pub fn random_key(&mut self, mut random: impl FnMut() -> u64) -> Option<Vec<u8>> {
        let mut tries = 100;
        // A shard is chosen by its share of the keys; expiry may empty it meanwhile, then another is chosen.
        loop {
            let mut at = match self.counts(self.db).keys {
                0 => return None,
                keys => ((u128::from(random()) * keys as u128) >> 64) as usize,
            };
            for shard in 0..SHARDS {
                let looked = self.in_shard(shard, |view| {
                    let keys = view.locked.shard(shard).db(view.db).map_or(0, |db| db.table.len());
                    (keys, if at < keys { view.random_in_shard(shard, &mut random) } else { None })
                });
                let (keys, key) = looked?;
                match key {
                    Some((key, true)) => return Some(key),
                    Some((key, false)) => {
                        tries -= 1;
                        if tries == 0 {
                            return Some(key);
                        }
                        break;
                    }
                    None if at < keys => break,
                    None => at -= keys,
                }
            }
        }
    }
}
